"""Output of servers in files of bounded size.

Servers write to files, not to pipes: a pipe would end, or block, with whoever reads it. A file
is opened for appending, so it can be cut while the server goes on writing. It is cut by moving
its tail to the front; what is written during those microseconds is lost.

Between two looks a file may grow beyond its bound. Looks come four times a second, and every
20 ms while some file grows fast: a flood takes a little processor time, not the disk.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import os

#: Seconds between looks.
CALM = 0.25
BUSY = 0.02
CUT = b"[earlier output was dropped]\n"


def create(path: str) -> int:
    """Begin an empty file that only the hub's account may read; the descriptor to write to.

    Of older attempts only the newest is kept.
    """
    folder, name = os.path.split(path)
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
    except FileExistsError:
        _make_room(folder, name)
    except FileNotFoundError:
        os.makedirs(folder, mode=0o700)  # noqa: PTH103
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def _make_room(folder: str, name: str) -> None:
    logs = {entry for entry in os.listdir(folder) if entry.endswith(".log")}  # noqa: PTH208
    if name in logs:
        # Not emptied: it may belong to another account by now.
        os.unlink(f"{folder}/{name}")  # noqa: PTH108
    older = sorted(int(log[:-4]) for log in logs - {name} if log[:-4].isdecimal())
    for attempt in older[:-1]:
        os.unlink(f"{folder}/{attempt}.log")  # noqa: PTH108


def cut(path: str, limit: int) -> int:
    """Keep the last half of `limit` bytes when there are more than `limit`; the size it had."""
    try:
        size = os.stat(path).st_size  # noqa: PTH116
        if size <= limit:
            return size
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        kept = limit // 2
        tail = os.pread(fd, kept, max(os.fstat(fd).st_size - kept, 0))
        # Begin with a whole line, unless there is hardly any.
        line = tail.find(b"\n", 0, kept // 2) + 1
        tail = CUT + tail[line:]
        os.pwrite(fd, tail, 0)
        os.ftruncate(fd, len(tail))
    except OSError:
        pass  # a full disk: the next look tries again
    finally:
        os.close(fd)
    return size


def read_tail(path: str, size: int) -> str:
    """The last `size` bytes as text; empty when there is no file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(max(os.fstat(file.fileno()).st_size - size, 0))
            return file.read(size).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def look(paths: list[str], limit: int, pause: float) -> float:
    """Cut what has grown too long; how long to wait before the next look, given the last wait."""
    longest = max((cut(path, limit) for path in paths), default=0)
    return BUSY if longest > limit else min(pause * 2, CALM)
