"""What has to be there before a program runs: variables, folders, files, first commands.

In the words of containers and neutral of the runtime: paths are those that the app was made
for. A runtime that mounts puts things there; one that cannot puts them elsewhere and says
where (see `runtimes/process/prelude.py`).
"""

from __future__ import annotations

import msgspec


class Folder(msgspec.Struct, frozen=True):
    """A volume."""

    name: str
    #: The same claim of the same user is the same folder.
    claim: str
    path: str
    persist: bool


class File(msgspec.Struct, frozen=True):
    """A text of a config map; `path` is None for one that only first commands see."""

    name: str
    key: str
    path: str | None
    mode: int
    content: str


class Mount(msgspec.Struct, frozen=True):
    """Where a first command sees a folder (`name`) or a file (`name` and `part`)."""

    name: str
    path: str
    part: str | None


class First(msgspec.Struct, frozen=True):
    """A command that is run before the program; one that fails fails the start."""

    name: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]


class Setup(msgspec.Struct, frozen=True):
    """All of it, filled in for one server."""

    environment: dict[str, str]
    folders: tuple[Folder, ...] = ()
    files: tuple[File, ...] = ()
    first: tuple[First, ...] = ()
    #: Where the program begins; empty: in the home of `environment`, if there is one.
    cwd: str = ""
