"""What is written down about each server's process: one small file per (server id, attempt).

    DATA/run/7-2.json      who it is (boot id, pid, start time), and how it ended
    DATA/logs/7/2.log      what it printed
    DATA/servers/7         its working folder, where nothing else was asked for

The helper writes a record right after the fork and again when the process ends; it stays
until the object is deleted, so that a hub that was away can still tell how it ended. Records
are replaced by renaming, never changed in place. They hold no secret. They need not survive a
power cut (nothing they speak of does), so nothing waits for the disk.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple


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

    @classmethod
    def parse(cls, value: Any) -> Record | None:
        """A record from JSON; None when it is none (a file of another version, or cut off)."""
        try:
            record = cls(**value)
        except TypeError:
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

    def draft(self, ref: str) -> str:
        """The same while it is being written; left behind by a helper that is killed just then."""
        return f"{self.run}/.{ref}"

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
        with open(places.record(ref), encoding="utf-8") as file:  # noqa: PTH123
            record = Record.parse(json.load(file))
    except (FileNotFoundError, ValueError):
        return None
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


def save(places: Places, record: Record) -> None:
    """Write a record, all or nothing."""
    draft = places.draft(record.ref)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(record._asdict(), file)
    os.rename(draft, places.record(record.ref))  # noqa: PTH104


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
    for path in (places.record(ref), places.draft(ref)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
