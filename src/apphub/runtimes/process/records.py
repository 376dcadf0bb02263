"""What is written down about each server's process: one small file per (server id, attempt).

    DATA/run/7-2.json      who it is (boot id, pid, start time), and how it ended
    DATA/logs/7/2.log      what it printed
    DATA/servers/7         its working folder, where nothing else was asked for

The helper writes a record right after the fork; when the process ends it adds a second line, which
counts if it is about the same process. A line that is cut off counts for nothing. The file stays
until the object is deleted, so that a hub that was away can still tell how it ended. Records
hold no secret. They need not survive a power cut (nothing they speak of does), so nothing
waits for the disk.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from typing import NamedTuple


class Record(NamedTuple):
    """One process that was started for a server."""

    hub_id: str
    #: `{server id}-{attempt}`.
    ref: str
    boot: str
    pid: int
    start: int
    ip: str | None = None
    port: int | None = None
    #: What a person should know while it runs.
    notes: str = ""
    #: Control group of its memory, to be removed with the object.
    cgroup: str | None = None
    #: Whether its end was witnessed.
    ended: bool = False
    exit_code: int | None = None
    #: How it ended, in words.
    ending: str = ""
    #: Control group of its processors, likewise; it may be that of its memory.
    cpu_cgroup: str | None = None

    @property
    def process(self) -> tuple[str, int, int]:
        """Names the process that it is about, for good."""
        return self.boot, self.pid, self.start

    @classmethod
    def parse(cls, line: bytes) -> Record | None:
        """A record from JSON; None when it is none (a file of another version, or cut off)."""
        try:
            record = cls(**json.loads(line))
        except (TypeError, ValueError):
            return None
        return record if isinstance(record.pid, int) and isinstance(record.start, int) else None


class Places(NamedTuple):
    """Where things are in the data folder."""

    data_dir: str

    @property
    def run(self) -> str:
        """Folder of the records."""
        return f"{self.data_dir}/run"

    def record(self, ref: str) -> str:
        """File of one record."""
        return f"{self.run}/{ref}.json"

    @property
    def turn(self) -> str:
        """Locked by the helper that starts something."""
        return f"{self.run}/.turn"

    def logs(self, server_id: int | str) -> str:
        """Folder of the output of all attempts of a server."""
        return f"{self.data_dir}/logs/{server_id}"

    def log(self, ref: str) -> str:
        """File with the output of one attempt."""
        server_id, _, attempt = ref.partition("-")
        return f"{self.logs(server_id)}/{attempt}.log"

    def work(self, server_id: int | str) -> str:
        """Working folder of a server that has no other."""
        return f"{self.data_dir}/servers/{server_id}"


def load(places: Places, hub_id: str, ref: str) -> Record | None:
    """The record of one object of this hub."""
    try:
        with open(places.record(ref), "rb") as file:  # noqa: PTH123
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    record = Record.parse(lines[0]) if lines else None
    if record is not None and (end := Record.parse(lines[-1])) is not None and end.process == record.process:
        record = end
    # A data folder may have seen another database before; its numbers mean other servers.
    return record if record is not None and record.hub_id == hub_id and record.ref == ref else None


def load_all(places: Places, hub_id: str) -> dict[str, Record]:
    """All records of this hub."""
    found = {}
    for name in os.listdir(places.run):  # noqa: PTH208
        ref, dot, kind = name.partition(".")
        if ref and dot and kind == "json" and (record := load(places, hub_id, ref)) is not None:
            found[ref] = record
    return found


def begin(places: Places, record: Record) -> None:
    """Write down that a process was started."""
    _write(places, record, os.O_CREAT | os.O_TRUNC)


def end(places: Places, record: Record) -> None:
    """Add how it ended; nothing happens when it was erased meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        _write(places, record, os.O_APPEND)


@contextlib.contextmanager
def turn(places: Places) -> Iterator[None]:
    """One helper at a time: those of several hubs may be asked for the same object."""
    fd = os.open(places.turn, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        # Said and not left to the closing: the child that was forked meanwhile has the file open too.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def remove(places: Places, ref: str) -> None:
    """Forget one object; nothing happens when there is no record."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.record(ref))  # noqa: PTH108


def _write(places: Places, record: Record, flags: int) -> None:
    line = json.dumps(record._asdict()).encode() + b"\n"
    fd = os.open(places.record(record.ref), os.O_WRONLY | flags, 0o600)
    try:
        if os.write(fd, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)
