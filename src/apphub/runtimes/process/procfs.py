"""What `/proc` says about processes: who they are, and which server they belong to.

A pid alone names nothing for long. A process is the same one when boot id, pid and start
time agree; what belongs to a server is found by a marker in the environment, which children
inherit. The marker finds, it does not identify: programs that change their title write over
their environment, and anybody may start a process with any environment.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import NamedTuple

#: Environment variable that names the server a process belongs to.
MARKER = "APPHUB_OBJECT"
_KEY = MARKER.encode() + b"="


class Process(NamedTuple):
    """One living process."""

    pid: int
    #: Clock ticks between boot and its start.
    start: int
    group: int
    session: int


def marker(hub_id: str, server_id: int | str, attempt: int | str) -> str:
    """The value of the marker of one attempt of one server."""
    return f"{hub_id}:{server_id}:{attempt}"


@functools.cache
def boot_id() -> str:
    """What tells this boot of the machine from all others."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()


def read(pid: int) -> Process | None:
    """The living process of this pid; None when there is none, or it only waits to be reaped."""
    stat = _bytes(f"/proc/{pid}/stat")
    if stat is None:
        return None
    # The second field is the program's name, which may hold spaces and brackets (proc(5)).
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X") and int(fields[17]) <= 1:
        # More than one thread means that only the first of them has ended.
        return None
    return Process(pid, start=int(fields[19]), group=int(fields[2]), session=int(fields[3]))


def alive(pid: int, start: int) -> bool:
    """Whether that very process still lives (in this boot)."""
    process = read(pid)
    return process is not None and process.start == start


def pids() -> Iterator[int]:
    """The pids of all processes."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def scan() -> Iterator[Process]:
    """All living processes."""
    return (process for pid in pids() if (process := read(pid)) is not None)


def session_of(pid: int) -> int | None:
    """The session of a process: much cheaper than all of `read`."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def marker_of(pid: int) -> str | None:
    """The marker in the environment of a process; None without one, or when it may not be read."""
    environ = _bytes(f"/proc/{pid}/environ")
    if not environ:
        return None
    begin = 0 if environ.startswith(_KEY) else environ.find(b"\0" + _KEY) + 1
    if begin == 0 and not environ.startswith(_KEY):
        return None
    value = environ[begin + len(_KEY) :].partition(b"\0")[0]
    return value.decode("utf-8", "replace")


def owner_of(pid: int) -> int | None:
    """The user id that a process runs as."""
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
    except OSError:
        return None


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
