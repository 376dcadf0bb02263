"""Reading the file: lines, words, bounds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from apphub.kit.addresses import Address
from apphub.settings import SettingsError, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "apphub.yaml"


def told(file: Path, text: str | bytes) -> list[str]:
    """What is said about a file, its folder left out."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    assert len(caught.value.problems) == len(str(caught.value).splitlines())
    return [str(problem).replace(f"{file.parent}/", "") for problem in caught.value.problems]


def loaded(file: Path, text: str):
    file.write_text(text)
    return load(file, {})


def test_values_are_read_as_what_they_mean(file: Path) -> None:
    settings = loaded(
        file,
        """
        bind: [0.0.0.0:80, "[::1]:8000"]
        timeouts: {start: 2m, poll: 1.5}
        processes: {log_size: 2M, ports: [3000, 3010]}
        login: {admins: [ADA]}
        """,
    )
    assert settings.bind == (Address("0.0.0.0", 80), Address("::1", 8000))
    assert (settings.timeouts.start, settings.timeouts.poll) == (timedelta(minutes=2), timedelta(seconds=1.5))
    assert (settings.processes.log_size, settings.processes.ports) == (2**21, (3000, 3010))
    assert settings.login.admins == ("ada",)


def test_every_problem_is_told_at_once_with_its_line_and_in_order(file: Path) -> None:
    assert told(
        file,
        "bind: 127.0.0.1:8000\n"
        "limts: {}\n"
        "limits:\n"
        "  concurrent_starts: -1\n"
        "  active-servers: 3\n"
        "log_level: warn\n"
        "services:\n"
        "  - name: one\n"
        "    roles: [admn]\n"
        "  - url: http://127.0.0.1:9000\n"
        "concurrent_starts: 3\n",
    ) == [
        "apphub.yaml:1: bind: must be a list: `[a, b]`, or one line `- a` for each item",
        "apphub.yaml:2: limts: is unknown; did you mean `limits`?",
        "apphub.yaml:4: limits.concurrent_starts: must be 0 or more",
        "apphub.yaml:5: limits.active-servers: is unknown; did you mean `active_servers`?",
        "apphub.yaml:6: log_level: must be one of `debug`, `info`, `warning` or `error`",
        "apphub.yaml:9: services[0].roles[0]: 'admn' is no role; known: admin, server, token, user; "
        "did you mean 'admin'?",
        "apphub.yaml:10: services[1].name: is missing",
        "apphub.yaml:11: concurrent_starts: is unknown here; it belongs to `limits.concurrent_starts`",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("timeouts: {start: 3 weeks}", "timeouts.start: must be a number of seconds, or text such as"),
        ("timeouts: {start: 1e300}", "timeouts.start: must be a shorter time"),
        ("timeouts: {start: -1}", "timeouts.start: cannot be negative"),
        ("processes: {log_size: lots}", "processes.log_size: must be a number of bytes, or text such as"),
        ("processes: {log_size: 99999999999T}", "processes.log_size: must be less than"),
        ("processes: {ports: [5, 1]}", "processes.ports: must be two ports from 1024 to 65535"),
        ("processes: {ports: 5}", "processes.ports: must be two ports from 1024 to 65535"),
        ("bind: [example.org:80]", "bind[0]: 'example.org' is not an IP address"),
        ("bind: [8000]", "bind[0]: must be text such as 127.0.0.1:8000"),
        ("bind: []", "bind: must have at least 1 item"),
        ("log_format: 5", "log_format: must be one of `console` or `json`"),
        ("language: 5", "language: must be text; put it in quotes"),
        ("trusted_proxies: many", "trusted_proxies: must be a whole number"),
        ("trusted_proxies: 1.5", "trusted_proxies: must be a whole number"),
        ("trusted_proxies: 11", "trusted_proxies: must be 10 or less"),
        ("login: {password: {enabled: maybe}}", "login.password.enabled: must be true or false"),
        ("login: [1]", "login: must be a group of keys"),
        ("groups: [1]", "groups: must be a map of names to values"),
        ("groups: {a/b: {}}", "groups.a/b: cannot name a group"),
        ("public_url: hub", "public_url: must be scheme, host and perhaps a port only"),
        ("base_url: apps", "base_url: must be a path with a slash at both ends"),
        ("database: mysql://x", "database: must begin with postgresql://"),
        ("tls: {certificate: a.pem}", "tls.key: is missing"),
        ("roles: [{name: x}]", "roles[0].name: must be 3 to 255 lower-case letters"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(file: Path, text: str, words: str) -> None:
    lines = told(file, text)
    assert lines[0].startswith(f"apphub.yaml:1: {words}")
    for foreign in ("Input", "pydantic", "validation", "ValueError", "instance", "dictionary", "tuple"):
        assert foreign not in " ".join(lines)


def test_a_secret_is_never_repeated_in_a_message(file: Path) -> None:
    text = (
        "services: [{name: a, api_token: hunter2}, {name: b, api_token: {fil: hunter2}}]\ndatabase: hunter2"
    )
    assert "hunter2" not in " ".join(told(file, text))


def test_secrets_do_not_show_in_the_text_of_the_settings(file: Path) -> None:
    settings = loaded(
        file,
        "login: {shared_password: {password: hunter2}}\n"
        "database: postgresql://hub:hunter2@db/hub\n"
        "services: [{name: a, api_token: hunter2-hunter2-hunter2}]",
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_a_key_given_twice_is_told_with_the_line_of_the_first(file: Path) -> None:
    assert told(file, "limits: {}\nlogin:\n  admins: []\n  admins: [ada]\nlimits: {}\n") == [
        "apphub.yaml:4: login.admins: appears twice; the first is in line 3",
        "apphub.yaml:5: limits: appears twice; the first is in line 1",
    ]


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("a: 1\n\tb: 2", "apphub.yaml:2: is not YAML:", "indent with spaces"),
        ("a: b: c", "apphub.yaml:1: is not YAML:", "quotes"),
        ("a: [1, 2", "apphub.yaml:1: is not YAML:", "expected"),
        ("a: *nowhere", "apphub.yaml:1: is not YAML:", "undefined alias"),
        ("a: 1\n---\nb: 2", "apphub.yaml:2: is not YAML:", "leave out"),
        ("- a\n- b", "apphub.yaml:1: must be a map", "bind"),
        ("just text", "apphub.yaml:1: must be a map", "bind"),
        ("? [a]\n: b", "apphub.yaml:1: has a key that is not text", ""),
        ("a: 1\nb: \x07", "apphub.yaml:2: has the character 0x0007, which YAML does not allow", ""),
        (b"a: 1\nb: \xff", "apphub.yaml:2: is not text (UTF-8)", ""),
        ("[" * 5000, "apphub.yaml: is nested too deeply", ""),
        ("a: " + "[" * 50 + "]" * 50, "apphub.yaml:1: is nested too deeply", ""),
        ("a: &a [*a]", "apphub.yaml:1: is nested too deeply, or an alias holds itself", ""),
    ],
)
def test_broken_yaml_is_told_with_its_line(file: Path, text: str | bytes, start: str, words: str) -> None:
    lines = told(file, text)
    assert len(lines) == 1
    assert lines[0].startswith(start)
    assert words in lines[0]


def test_a_tag_constructs_nothing(file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    assert told(file, f'language: !!python/object/apply:os.mkdir ["{mark}"]') == [
        "apphub.yaml:1: language: has the tag !!python/object/apply:os.mkdir, which settings do not use"
    ]
    assert told(file, "language: !!python/name:os.system x")[0].endswith("which settings do not use")
    assert told(file, "language: !secret x")[0].endswith("has the tag !secret, which settings do not use")
    assert not mark.exists()


def test_aliases_that_multiply_are_stopped(file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases multiply" in told(file, "\n".join(lines))[0]


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    assert told(file, "#" * (2**20 + 1)) == ["apphub.yaml: is larger than 1 MiB; that is no settings file"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nope\.yaml: there is no such file"):
        load(tmp_path / "nope.yaml", {})
    with pytest.raises(SettingsError, match="cannot be read: is a directory"):
        load(tmp_path, {})


def test_text_that_other_readers_change_stays_text(file: Path) -> None:
    settings = loaded(
        file,
        "groups:\n  no: {properties: {on: off, when: 2024-01-02, at: 12:30, code: 010, hex: 0x1F, q: '5'}}\n  12:",
    )
    assert set(settings.groups) == {"no", "12"}
    assert settings.groups["no"].properties == {
        "on": "off",
        "when": "2024-01-02",
        "at": "12:30",
        "code": 10,
        "hex": 31,
        "q": "5",
    }


def test_an_empty_file_or_section_means_the_defaults(file: Path) -> None:
    assert loaded(file, "") == loaded(file, "# nothing\n") == loaded(file, "limits:\n  # all off\nlogin:\n")


def test_aliases_and_merged_maps_work(file: Path) -> None:
    settings = loaded(
        file,
        """
        profiles:
          - &base {slug: one, kind: hello, icon: x, groups: everyone}
          - {<<: *base, slug: two, icon: y}
        """,
    )
    assert settings.profiles is not None
    assert [(profile.slug, profile.icon) for profile in settings.profiles] == [("one", "x"), ("two", "y")]


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "hub.yaml").write_text(
        "tls: {certificate: a.pem, key: /keys/b.pem}\n"
        "profiles: [{slug: x, kind: hello, environment_path: ./envs/x}]"
    )
    monkeypatch.chdir(tmp_path)
    settings = load(Path("etc/hub.yaml"), {})
    assert settings.tls is not None
    assert settings.profiles is not None
    assert (settings.tls.certificate, settings.tls.key) == (folder / "a.pem", Path("/keys/b.pem"))
    assert settings.profiles[0].environment_path == folder / "envs/x"
    assert settings.data_dir == folder / "apphub-data"


def test_a_secret_is_read_from_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("correct horse\n")
    (tmp_path / "db").write_text("postgresql://hub@db/hub\n")
    settings = loaded(file, "login: {shared_password: {password: {file: pw}}}\ndatabase: {file: db}")
    assert settings.login.shared_password is not None
    assert settings.login.shared_password.password.get_secret_value() == "correct horse"
    assert settings.database == "postgresql://hub@db/hub"


def test_a_secret_file_that_cannot_be_used_is_told(file: Path, tmp_path: Path) -> None:
    text = "login: {shared_password: {password: {file: pw}}}"
    assert told(file, text)[0].endswith("cannot read pw: no such file or directory")
    (tmp_path / "pw").write_text("one\ntwo\n")
    assert told(file, text)[0].endswith("pw must hold the secret on one line, and nothing else")
    (tmp_path / "pw").write_text("")
    assert told(file, text)[0].endswith("pw must hold the secret on one line, and nothing else")
