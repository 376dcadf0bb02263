"""Variables and options over the file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from apphub.kit.addresses import Address
from apphub.settings import SettingsError, load, read


def told(environ: dict[str, str], overrides: dict[str, object] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(None, environ, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_variables_win_over_the_file_and_options_over_both(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("limits: {concurrent_starts: 1, active_servers: 7}\nbind: [127.0.0.1:1]\nlanguage: de")
    environ = {"APPHUB_LIMITS__CONCURRENT_STARTS": "5", "APPHUB_BIND": "127.0.0.1:2", "HOME": "/"}
    settings = load(file, environ, {"bind": ["127.0.0.1:3"], "timeouts.start": "5m"})
    assert (settings.limits.concurrent_starts, settings.limits.active_servers) == (5, 7)
    assert settings.bind == (Address("127.0.0.1", 3),)
    assert (settings.language, settings.timeouts.start) == ("de", timedelta(minutes=5))


def test_each_kind_of_value_can_be_given_by_a_variable() -> None:
    settings = load(
        None,
        {
            "APPHUB_BIND": "0.0.0.0:8000, [::]:8000",
            "APPHUB_LOGIN__ADMINS": '["ada", "grace"]',
            "APPHUB_LOGIN__PASSWORD__ENABLED": "false",
            "APPHUB_LOGIN__SHARED_PASSWORD__PASSWORD": "{curly",
            "APPHUB_GROUPS__Analysts__MEMBERS": "ada,grace",
            "APPHUB_LOG_LEVEL": "debug",
            "APPHUB_PROCESSES__PORTS": "2000,2010",
            "APPHUB_PROCESSES__LOG_SIZE": "1M",
            "APPHUB_PROFILES": '[{"slug": "x", "kind": "hello", "groups": "everyone"}]',
            "APPHUB_TOKENS": '{"password_life": "1h"}',
            "APPHUB_TOKENS__OAUTH_LIFE": "2h",
            "APPHUB_DATABASE": "",
        },
    )
    assert len(settings.bind) == 2
    assert settings.login.admins == ("ada", "grace")
    assert not settings.login.password.enabled
    assert settings.login.shared_password is not None
    assert settings.login.shared_password.password.get_secret_value() == "{curly"
    assert settings.groups["Analysts"].members == ("ada", "grace")
    assert settings.log_level == "debug"
    assert settings.processes.ports == (2000, 2010)
    assert settings.processes.log_size == 2**20
    assert settings.profiles is not None
    assert settings.profiles[0].slug == "x"
    assert (settings.tokens.password_life, settings.tokens.oauth_life) == (
        timedelta(hours=1),
        timedelta(hours=2),
    )
    assert settings.database is None


def test_an_error_names_the_variable() -> None:
    assert told(
        {
            "APPHUB_LIMITS__CONCURRENT_START": "3",
            "APPHUB_BIND": "127.0.0.1:1,nowhere",
            "APPHUB_SERVICES": '[{"nam": "x"}]',
            "APPHUB_ROLES": "reader",
            "APPHUB_TOKENS": "long",
            "APPHUB_PROFILES__0__SLUG": "x",
            "APPHUB_": "x",
            "APPHUB_TRUSTED_PROXIES": "many",
        }
    ) == [
        "APPHUB_: names no setting",
        "APPHUB_BIND: bind[1]: 'nowhere' has no port; write ADDRESS:PORT, for example 127.0.0.1:8000",
        "APPHUB_LIMITS__CONCURRENT_START: names no setting; did you mean APPHUB_LIMITS__CONCURRENT_STARTS?",
        "APPHUB_PROFILES__0__SLUG: goes into a list; set APPHUB_PROFILES as JSON instead",
        "APPHUB_ROLES: roles: must be a list as JSON",
        "APPHUB_SERVICES: services[0].nam: is unknown; did you mean `name`?",
        "APPHUB_SERVICES: services[0].name: is missing",
        "APPHUB_TOKENS: tokens: must be an object as JSON",
        "APPHUB_TRUSTED_PROXIES: trusted_proxies: must be a whole number",
    ]


def test_an_error_names_the_option_of_the_command_line() -> None:
    assert told({}, {"bind": ["nowhere"]})[0].startswith("--bind: bind[0]: 'nowhere' has no port")


def test_problems_of_file_and_variables_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("\nlimits: [1]\nlog_level: loud\n")
    with pytest.raises(SettingsError) as caught:
        load(file, {"APPHUB_LIMITS__ACTIVE_SERVERS": "1", "APPHUB_NOPE": "1", "APPHUB_LOG_FORMAT": "x"})
    assert [problem.where for problem in caught.value.problems] == [
        f"{file}:2",
        f"{file}:3",
        "APPHUB_LOG_FORMAT",
        "APPHUB_NOPE",
    ]


def test_reserved_variables_are_passed_over() -> None:
    assert load(None, {"APPHUB_OBJECT": "1-1", "APPHUB_TEST_SERVER": "x"}) == load(None, {})


def test_relative_paths_in_variables_start_at_the_working_directory(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "a.yaml").write_text("data_dir: kept")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "etc" / "a.yaml"
    assert load(file, {}).data_dir == tmp_path / "etc" / "kept"
    assert load(file, {"APPHUB_DATA_DIR": "mine"}).data_dir == tmp_path / "mine"
    assert load(file, {}, {"data_dir": "other"}).data_dir == tmp_path / "other"
    profiles = '[{"slug": "x", "kind": "hello", "environment_path": "env"}]'
    loaded = load(file, {"APPHUB_PROFILES": profiles})
    assert loaded.profiles is not None
    assert loaded.profiles[0].environment_path == tmp_path / "env"


def test_a_variable_can_name_the_file_of_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_text("correct horse\n")
    loaded = read(None, {"APPHUB_LOGIN__SHARED_PASSWORD__PASSWORD": f'{{"file": "{secret}"}}'})
    assert loaded.settings.login.shared_password is not None
    assert loaded.settings.login.shared_password.password.get_secret_value() == "correct horse"
    assert loaded.secret_files == (secret,)
