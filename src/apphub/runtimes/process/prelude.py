"""What runs first in the process of a server that needs things set up, and then becomes the server.

It runs as the user, below the server's limits, with its output in the server's log: so that
nothing is done with more rights than the user has, nothing waits for it, and what goes wrong
is read where people look. Processes have no mounts of their own. So folders and files are
below `~/.apphub`, and their paths are replaced in the command, the variables and the texts:

    ~/.apphub/volumes/CLAIM               of a volume that stays
    ~/.apphub/servers/ID-ATTEMPT/...      of what goes when the server ends

This file is a program: the standard library only. It is told what to do by variables, which
the server does not see.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, NoReturn

#: Variables that hold what to do; Linux takes 128 KiB in each.
VARIABLE = "APPHUB_SETUP_"
_CHUNK = 100_000

Map = dict[str, str]


def encode(order: dict[str, Any]) -> dict[str, str]:
    """What to do, as variables."""
    text = base64.b64encode(zlib.compress(json.dumps(order).encode())).decode()
    parts = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    return {f"{VARIABLE}{number}": part for number, part in enumerate(parts)}


def invocation(run_as: str | None) -> list[str]:
    """How to begin with this program as some account (None: the hub's own).

    The hub may be installed where other accounts see nothing: so the text of this file is
    passed on, and any Python 3.9 that everybody can run does.
    """
    own = run_as is None or _open_to_all(sys.executable)
    python = sys.executable if own else shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    return [python or sys.executable, "-I", "-S", "-c", Path(__file__).read_text()]


def _open_to_all(program: str) -> bool:
    """Whether any account may run it: the file itself, and every folder on the way."""
    named, path = Path(program).absolute(), Path(program).resolve()
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents, *named.parents))


def decode(env: dict[str, str]) -> dict[str, Any]:
    """What to do; it is taken out of the variables."""
    names = sorted(
        (name for name in env if name.startswith(VARIABLE)), key=lambda name: int(name[len(VARIABLE) :])
    )
    order: dict[str, Any] = json.loads(
        zlib.decompress(base64.b64decode("".join(env.pop(name) for name in names)))
    )
    return order


def replaced(text: str, places: Map) -> str:
    """The text with paths below the keys of `places` moved below their values."""
    if not places:
        return text
    ways = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
    # Whole steps of absolute paths only: `/workspace` is in `HOME=/workspace/x`, not in `/my/workspaces`.
    return re.sub(rf"(?<![\w./~-])(?:{ways})(?![\w-]|\.\w)", lambda match: places[match[0]], text)


class Setup:
    """One server's things."""

    def __init__(self, order: dict[str, Any], home: Path) -> None:
        self._order = order
        self._servers = home / ".apphub" / "servers"
        #: What goes when the server ends.
        self.own: Path = self._servers / order["ref"]
        stays = home / ".apphub"
        self._folders: dict[str, Path] = {
            one["name"]: (stays if one["persist"] else self.own) / "volumes" / _safe(one["claim"])
            for one in order["folders"]
        }
        self._mounts: Map = {one["path"]: str(self._folders[one["name"]]) for one in order["folders"]}
        self._files: dict[tuple[str, str], Path] = {
            (one["name"], one["key"]): self._target(one) for one in order["files"]
        }
        #: Where what is at these paths in a container is here.
        self.places: Map = self._mounts | {
            one["path"]: str(self._files[one["name"], one["key"]]) for one in order["files"] if one["path"]
        }

    def make(self) -> None:
        """Folders and files."""
        self._sweep()
        for folder in {*self._folders.values(), self.own}:
            _make(folder)
        for one in self._order["files"]:
            target = self._files[one["name"], one["key"]]
            _make(target.parent)
            draft = target.with_name(f"{target.name}.{os.getpid()}")
            draft.touch(0o600)
            draft.write_text(replaced(one["content"], self.places))
            draft.chmod(one["mode"])
            draft.replace(target)  # whatever was there before, read-only or not

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        """The variables of the server."""
        result = dict(env)
        result |= {name: replaced(value, self.places) for name, value in self._order["environment"].items()}
        folders = result.get("PATH", "").split(os.pathsep)
        commands = {
            str(Path(here).parent) for path, here in self.places.items() if str(Path(path).parent) in folders
        }
        if commands:
            result["PATH"] = os.pathsep.join([*sorted(commands), *folders])
        return result

    def enter(self, env: dict[str, str]) -> None:
        """Begin where the container does: in its working folder, or its home."""
        cwd = replaced(self._order["cwd"], self.places)
        if "HOME" in self._order["environment"]:
            _make(Path(env["HOME"]))
            cwd = cwd or env["HOME"]
        if cwd:
            os.chdir(cwd)

    def run_first(self, env: dict[str, str]) -> None:
        """The commands before the program; ends the process when one fails."""
        for one in self._order["first"]:
            places = {**self.places, **dict(self._mount(mount) for mount in one["mounts"])}
            command = [replaced(word, places) for word in one["command"]]
            say(f"init {one['name']}: begins")
            try:
                status = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=False).returncode
            except OSError as error:
                give_up(f"The init command {one['name']} cannot be run: {error.strerror}: {command[0]!r}.")
            if status:
                ended = f"status {status}" if status > 0 else f"signal {-status}"
                give_up(f"The init command {one['name']} failed with {ended}; its output is above.")

    def leave_behind_nothing(self) -> None:
        """Have what is not to stay removed when this process, whatever it becomes, has ended."""
        try:
            main = os.pidfd_open(os.getpid())
        except (AttributeError, OSError):
            return  # a machine that has none: the next start sweeps
        if os.fork():
            os.close(main)
            return
        try:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.chdir("/")
            select.select([main], [], [])
            shutil.rmtree(self.own, ignore_errors=True)
        finally:
            os._exit(0)

    def command(self) -> list[str]:
        """The program."""
        return [replaced(word, self.places) for word in self._order["command"]]

    def _target(self, one: dict[str, Any]) -> Path:
        path: str | None = one["path"]
        if path is None:
            return self.own / "maps" / _safe(one["name"]) / _safe(one["key"])
        inside = replaced(path, self._mounts)
        return Path(inside) if inside != path else self.own / "files" / path.lstrip("/")

    def _mount(self, mount: dict[str, Any]) -> tuple[str, str]:
        name, part = mount["name"], mount["part"]
        if (name, part) in self._files:
            return mount["path"], str(self._files[name, part])
        folder = self._folders.get(name, self.own / "maps" / _safe(name))
        return mount["path"], str(folder / part if part else folder)

    def _sweep(self) -> None:
        """What an earlier attempt could not remove because it was ended by force."""
        server = self.own.name.partition("-")[0]
        for left in self._servers.glob(f"{server}-*"):
            shutil.rmtree(left, ignore_errors=True)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _safe(name: str) -> str:
    """The name as one step of a path."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"


def say(text: str) -> None:
    """Into the server's log."""
    sys.stdout.write(f"apphub: {text}\n")
    sys.stdout.flush()


def give_up(text: str) -> NoReturn:
    """End, with the reason in the log."""
    say(text)
    sys.exit(78)  # EX_CONFIG of sysexits(3)


def main() -> None:
    """Set things up, then become the program."""
    env = dict(os.environ)
    order = decode(env)
    setup = Setup(order, Path(env.get("HOME") or ".").absolute())
    try:
        setup.make()
        env = setup.environment(env)
        setup.enter(env)
    except OSError as error:
        give_up(f"The folders and files of the profile cannot be made: {error}.")
    setup.leave_behind_nothing()
    setup.run_first(env)
    command = setup.command()
    try:
        os.execvpe(command[0], command, env)  # noqa: S606
    except OSError as error:
        give_up(f"The program {command[0]!r} cannot be run: {error.strerror}.")


if __name__ == "__main__":
    main()
