"""The command as people run it: words, exit statuses, and what is imported for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apphub import __version__
from apphub.cli.outcome import ending
from apphub.errors import Unavailable

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from apphub.cli import main; main()"]
HEAVY = ("grpc", "litestar", "sqlalchemy", "uvicorn", "envoy_data_plane", "authlib", "argon2", "jinja2")
#: What a hub on SQLite has no use for: megabytes of each, and a part of every start.
UNUSED = {
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.orm", "asyncpg", "alembic"),
    *("pydantic.v1", "attr", "rich", "httpx"),
}


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APPHUB_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_and_version_say_what_there_is(tmp_path: Path) -> None:
    told = run("--help", cwd=tmp_path)
    assert told.returncode == 0
    for command in ("serve", "hub", "proxy", "check", "schema"):
        assert f"\n  {command} " in told.stdout
    assert "reference" not in told.stdout
    assert run("--version", cwd=tmp_path).stdout.startswith(f"apphub {__version__} ")


def test_check_says_that_the_sample_is_fine(tmp_path: Path) -> None:
    told = run("check", "--config", str(ROOT / "apphub.yaml"), cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    first, *rest = told.stdout.splitlines()
    assert first == f"{ROOT}/apphub.yaml: fine. Profiles: profile_1_slug, jupyterlab."
    assert all(line.startswith(f"warning: {ROOT}/apphub.yaml:") for line in rest)
    assert any("users are not protected from each other" in line for line in rest)


def test_check_without_a_file_checks_the_defaults(tmp_path: Path) -> None:
    told = run("check", cwd=tmp_path)
    assert told.returncode == 0
    assert told.stdout.startswith("no settings file, so defaults apply: fine. Profiles: profile_1_slug.")


def test_check_finds_the_default_file_and_tells_every_problem(tmp_path: Path) -> None:
    (tmp_path / "apphub.yaml").write_text("limts: {}\nlog_level: loud\n")
    told = run("check", cwd=tmp_path, APPHUB_NOPE="1")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.splitlines() == [
        "APPHUB_NOPE: names no setting",
        "apphub.yaml:1: limts: is unknown; did you mean `limits`?",
        "apphub.yaml:2: log_level: must be one of `debug`, `info`, `warning` or `error`",
    ]


def test_check_of_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    told = run("check", "-c", "nope.yaml", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (1, "nope.yaml: there is no such file\n")


@pytest.mark.parametrize("command", ["serve", "hub", "proxy"])
def test_serving_with_wrong_settings_ends_in_words_and_status_2(command: str, tmp_path: Path) -> None:
    told = run(command, "--bind", "nowhere", "--data-dir", "kept", cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.startswith("--bind: bind[0]: 'nowhere' has no port")
    assert "Traceback" not in told.stderr
    (tmp_path / "apphub.yaml").write_text("tls: {certificate: a.pem, key: a.pem}\n")
    told = run(command, cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.startswith("apphub.yaml:1: tls.certificate: cannot read")


def test_an_expected_error_becomes_words_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise Unavailable("The port is taken.", "Stop the other program, or choose another port.")

    assert ending(fail) == 1
    assert ending(lambda: 0) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "apphub: The port is taken.\nStop the other program, or choose another port.\n"


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(lambda: 1 // 0)


def test_schema_and_reference_are_printed(tmp_path: Path) -> None:
    assert json.loads(run("schema", cwd=tmp_path).stdout)["title"] == "apphub settings"
    assert run("reference", cwd=tmp_path).stdout == (ROOT / "docs/reference/settings.md").read_text()


@pytest.mark.parametrize("arguments", [["--help"], ["check"], ["schema"]])
def test_what_serves_is_not_imported_by_commands_that_do_not(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\nfrom apphub.cli import main\n"
        f"sys.argv = ['apphub', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APPHUB_")}
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60
    )
    assert (told.returncode, told.stderr) == (0, "[]\n")


def test_help_does_not_read_the_settings_model(tmp_path: Path) -> None:
    script = "import sys, apphub.cli; print('pydantic' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert told.stdout == "False\n"


def test_a_hub_on_sqlite_loads_nothing_large_that_it_has_no_use_for(tmp_path: Path) -> None:
    script = (
        "import sys, apphub.cli.app, apphub.cli.serve, apphub.serve\n"
        "from apphub.app import described\n"
        "described()\n"  # the doors are made
        "print(*sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(told.stdout.split())
    assert "apphub.serve" in loaded
    assert loaded & UNUSED == set()
