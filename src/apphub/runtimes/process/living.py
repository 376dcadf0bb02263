"""The main processes that live, and how each object looks.

Kept in memory because it is asked about all the time. It is no truth: the helper's list is,
and after a restart of hub or helper everything here is made from that list again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from apphub.kit.addresses import Address
from apphub.runtimes.base import Life, Ref, Sight
from apphub.runtimes.process import procfs
from apphub.runtimes.process.records import Record
from apphub.runtimes.process.roll import Leader

ABSENT = Sight(Life.ABSENT)
#: Seconds between looks at a process that cannot be watched.
LOOK = 1.0


class Running(Struct):
    """A main process that lives."""

    record: Record
    #: Whether the present helper is its parent, and will say how it ended.
    own: bool
    #: Account of a process that was found without a record.
    uid: int | None = None
    pidfd: int | None = None
    timer: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def leader(self) -> Leader:
        """What identifies it."""
        return self.record.pid, self.record.start

    def release(self) -> None:
        """Stop watching it."""
        if self.pidfd is not None:
            asyncio.get_running_loop().remove_reader(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Living:
    """Main processes by object; tells whoever wants to know when one has ended."""

    def __init__(self) -> None:
        self._running: dict[Ref, Running] = {}
        self._callbacks: list[Callable[[Ref], None]] = []

    def on_exit(self, callback: Callable[[Ref], None]) -> None:
        """Call `callback` whenever one has ended."""
        self._callbacks.append(callback)

    def get(self, ref: Ref) -> Running | None:
        """The main process of an object, while it lives."""
        return self._running.get(ref)

    def launched(self, record: Record) -> None:
        """The helper has started it, and will say when it ends."""
        self._keep(ref_of(record), Running(record, own=True))

    def found(self, record: Record, uid: int | None = None) -> None:
        """It lives, and is not the helper's child."""
        ref = ref_of(record)
        known = self._running.get(ref)
        if known is None or known.leader != (record.pid, record.start):
            self._keep(ref, Running(record, own=False, uid=uid))

    def ended(self, ref: Ref, running: Running | None = None) -> None:
        """Its main process has ended (that very one, where `running` is given)."""
        now = self._running.get(ref)
        if running is not None:
            running.release()
        if now is None or (running is not None and now is not running):
            return
        now.release()
        del self._running[ref]
        now.ended.set()
        for callback in self._callbacks:
            callback(ref)

    def see(self, listed: list[dict[str, Any]]) -> dict[Ref, Sight]:
        """Take notice of the helper's list; how each object on it looks."""
        sights = {}
        for item in listed:
            record = Record(**item["record"])
            sights[ref_of(record)] = sight_of(record, alive=item["alive"])
            if item["alive"]:
                self.found(record, item["uid"])
        return sights

    def start_over(self, listed: list[dict[str, Any]]) -> None:
        """Take the list of a new helper for all there is; nothing is its child."""
        sights = self.see(listed)
        for ref, running in list(self._running.items()):
            if sights.get(ref, ABSENT).life is not Life.RUNNING:
                self.ended(ref)
            elif running.own:
                running.own = False
                self._watch(ref, running)

    def close(self) -> None:
        """Stop watching."""
        for running in self._running.values():
            running.release()
        self._running.clear()

    def __contains__(self, ref: Ref) -> bool:
        return ref in self._running

    def _keep(self, ref: Ref, running: Running) -> None:
        before = self._running.get(ref)
        if before is not None:
            before.release()
            running.ended = before.ended
        self._running[ref] = running
        if not running.own:
            self._watch(ref, running)

    def _watch(self, ref: Ref, running: Running) -> None:
        loop = asyncio.get_running_loop()
        try:
            running.pidfd = os.pidfd_open(running.record.pid)
        except ProcessLookupError:
            loop.call_soon(self.ended, ref, running)
        except OSError:
            # No descriptor is left, or the kernel has no pidfd: look now and then.
            running.timer = loop.call_later(LOOK, self._look, ref, running)
        else:
            loop.add_reader(running.pidfd, self.ended, ref, running)

    def _look(self, ref: Ref, running: Running) -> None:
        running.timer = None
        with contextlib.suppress(OSError):  # still no descriptor, even for looking
            if not procfs.alive(*running.leader):
                self.ended(ref, running)
                return
        self._watch(ref, running)


def ref_of(record: Record) -> Ref:
    """The object that a record is about."""
    return parse_ref(record.ref)


def parse_ref(text: str) -> Ref:
    """Read `{server id}-{attempt}`."""
    server_id, _, attempt = text.partition("-")
    return Ref(int(server_id), int(attempt))


def lives(record: Record) -> bool:
    """Whether the process of a record lives."""
    return not record.ended and record.boot == procfs.boot_id() and procfs.alive(record.pid, record.start)


def sight_of(record: Record, *, alive: bool) -> Sight:
    """How an object looks, given its record and whether its main process lives."""
    address = Address(record.ip, record.port) if record.ip is not None and record.port is not None else None
    if alive:
        return Sight(Life.RUNNING, address, detail=record.notes)
    if record.ended:
        return Sight(Life.EXITED, address, record.exit_code, record.ending)
    detail = "It ended; its exit status is unknown, for it was started by an earlier run of the hub."
    return Sight(Life.EXITED, address, None, detail)
