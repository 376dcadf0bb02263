"""What runs before a program that needs things set up: as a process, the way the runtime starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from apphub.runtimes.process import prelude

SHOW = (
    "import json, os, sys; json.dump({'argv': sys.argv[1:], 'env': dict(os.environ), 'cwd': os.getcwd()}, "
    "open(os.environ['SHOWN'], 'w'))"
)


def order(**more: Any) -> dict[str, Any]:
    base = {"environment": {}, "folders": [], "files": [], "first": [], "cwd": "", "ref": "7-2"}
    return {**base, "command": [sys.executable, "-c", SHOW, "/workspace/x", "--at=/workspace"], **more}


def folder(name: str = "work", path: str = "/workspace", *, persist: bool = True) -> dict[str, Any]:
    return {"name": name, "claim": f"{name}-claim", "path": path, "persist": persist}


def text(name: str, content: str, path: str | None, mode: int = 0o400) -> dict[str, Any]:
    return {"name": name, "key": name, "path": path, "mode": mode, "content": content}


class Home:
    """A user's home, and what a program saw there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / ".apphub/volumes/work-claim"
        self.own = path / ".apphub/servers/7-2"

    def run(self, what: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        env = {"HOME": str(self.path), "PATH": os.environ["PATH"], "SHOWN": str(self.path / "shown.json")}
        return subprocess.run(
            prelude.invocation(None),
            env=env | prelude.encode(what),
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def shown(self, what: dict[str, Any]) -> dict[str, Any]:
        done = self.run(what)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads((self.path / "shown.json").read_text())
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def gone(path: Path) -> bool:
    end = time.monotonic() + 20
    while path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not path.exists()


def test_a_program_finds_its_volume_in_arguments_and_variables(home: Home) -> None:
    shown = home.shown(
        order(
            folders=[folder()],
            environment={
                "HOME": "/workspace",
                "LIST": "/workspace/a:/workspaces:/my/workspace:/workspace.old",
            },
        )
    )
    assert shown["argv"] == [f"{home.work}/x", f"--at={home.work}"]
    assert shown["env"]["LIST"] == f"{home.work}/a:/workspaces:/my/workspace:/workspace.old"
    assert shown["env"]["HOME"] == shown["cwd"] == str(home.work)


def test_the_program_is_not_told_how_it_was_set_up(home: Home) -> None:
    env = home.shown(order(files=[text("big", os.urandom(300_000).hex(), "/etc/big")]))["env"]
    assert [name for name in env if name.startswith("APPHUB_")] == []


def test_files_are_where_paths_say_with_their_modes_and_their_own_paths_moved(home: Home) -> None:
    what = order(
        folders=[folder()],
        files=[
            text("rc", "cd /workspace\n", "/workspace/.bashrc", 0o600),
            text("tool", "#!/bin/sh\nexec /opt/init/.init.sh\n", "/usr/bin/tool", 0o500),
            text("init", "exit 0\n", "/opt/init/.init.sh"),
        ],
    )
    for _ in range(2):  # what is read-only is replaced by the next start all the same
        home.shown(
            {
                **what,
                "command": [
                    "sh",
                    "-c",
                    f'{sys.executable} -c "$0" /opt/init/.init.sh && cp $(command -v tool) /workspace/found',
                    SHOW,
                ],
            }
        )
        assert (home.work / ".bashrc").read_text() == f"cd {home.work}\n"
        assert (home.work / ".bashrc").stat().st_mode & 0o777 == 0o600
        found = (home.work / "found").read_text()
        assert found == f"#!/bin/sh\nexec {home.own}/files/opt/init/.init.sh\n"


def test_what_persists_stays_and_the_rest_goes_when_the_program_ends(home: Home) -> None:
    what = order(
        folders=[folder(), folder("tmp", "/scratch", persist=False)],
        command=["sh", "-c", "echo kept > /workspace/kept; echo lost > /scratch/lost; test -e /scratch/lost"],
    )
    assert home.run(what).returncode == 0
    assert (home.work / "kept").read_text() == "kept\n"
    assert gone(home.own)


def test_a_volume_that_does_not_persist_begins_empty_after_an_end_by_force(home: Home) -> None:
    left = home.path / ".apphub/servers/7-1/volumes/tmp-claim"
    other = home.path / ".apphub/servers/77-1"
    left.mkdir(parents=True)
    other.mkdir()
    (left / "left").touch()
    what = order(folders=[folder("tmp", "/scratch", persist=False)], command=["sh", "-c", "ls -A /scratch"])
    assert home.run(what).stdout == ""
    assert not left.exists()
    assert other.exists()  # somebody else's


def test_first_commands_run_in_order_with_their_own_mounts(home: Home) -> None:
    first = [
        {
            "name": "one",
            "command": ["sh", "-c", "sh /boot/script"],
            "mounts": [
                {"name": "script", "path": "/boot/script", "part": "script"},
                {"name": "work", "path": "/data", "part": None},
            ],
        },
        {"name": "two", "command": ["sh", "-c", "cat /workspace/made"], "mounts": []},
    ]
    done = home.run(
        order(
            folders=[folder()],
            files=[text("script", "echo made > /workspace/made\n", None)],
            first=first,
            command=["true"],
        )
    )
    assert done.stdout.splitlines() == ["apphub: init one: begins", "apphub: init two: begins", "made"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["sh", "-c", "echo why; exit 3"],
            "The init command prepare failed with status 3; its output is above.",
        ),
        (["/nowhere/x"], "The init command prepare cannot be run: No such file or directory: '/nowhere/x'."),
    ],
)
def test_a_first_command_that_fails_ends_the_start_with_its_reason(
    home: Home, command: list[str], words: str
) -> None:
    done = home.run(order(first=[{"name": "prepare", "command": command, "mounts": []}]))
    assert done.returncode == 78
    assert done.stdout.splitlines()[-1] == f"apphub: {words}"
    assert not (home.path / "shown.json").exists()
    assert gone(home.own)


def test_a_program_that_is_not_there_is_told(home: Home) -> None:
    done = home.run(order(command=["no-such-program"]))
    assert (done.returncode, done.stdout) == (
        78,
        "apphub: The program 'no-such-program' cannot be run: No such file or directory.\n",
    )


def test_names_cannot_lead_out_of_the_folders(home: Home) -> None:
    what = order(
        folders=[{**folder(), "claim": "../../../../escaped"}], command=["sh", "-c", "echo x > /workspace/x"]
    )
    assert home.run(what).returncode == 0
    assert (home.path / ".apphub/volumes").is_dir()
    assert [path.name for path in (home.path / ".apphub/volumes").iterdir()] == ["_.._.._.._escaped"]
