"""Servers as processes of this machine: the five verbs, on the hub's event loop.

All that touches processes is done by the helper (see `spawner`), started with the first verb
and again whenever it is gone. What has ended is read from the records, which are the truth
after any restart, and for other hub processes on the same data folder.

Surprises:
* Exits of our helper's children come with a status; those of servers that an earlier helper
  started are noticed through a pidfd, which has none.
* An object has EXITED when its main process has. `delete` then ends what is left of it.
* An unrecorded process that carries a marker counts as an object, but `create` takes it for
  what was asked for only if it runs as the right account: anybody can put a marker in an
  environment, and would otherwise be sent somebody else's visitors.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from apphub.runtimes.base import LaunchSpec, Life, Ref, Sight
from apphub.runtimes.process import cgroups, logfiles, prelude, procfs, records
from apphub.runtimes.process.helper import Helper
from apphub.runtimes.process.link import Message
from apphub.runtimes.process.living import ABSENT, Living, Running, lives, parse_ref, sight_of
from apphub.runtimes.process.records import Places, Record
from apphub.runtimes.process.roll import Leader, Roll

#: Seconds between looks whether SIGKILL has done its work; the sum is how long `delete` waits for that.
_BY_FORCE = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)


#: Seconds between looks whether somebody has recorded how a process ended.
_WITNESSED = (0.0, 0.01, 0.04, 0.1)


class ProcessRuntime:
    """Runs servers as processes of this machine (Linux)."""

    watches = True

    def __init__(self, data_dir: Path, hub_id: str, log_size: int, place: str) -> None:
        self.place = place
        self._hub_id = hub_id
        self._keeps = cgroups.Groups(hub_id).kept
        self._places = Places(os.path.abspath(data_dir))  # noqa: PTH100 - reads no file
        self._living = Living()
        self._helper = Helper(
            (self._places.data_dir, hub_id, str(log_size)), self._event, self._living.start_over
        )
        self._roll = Roll(self._signal)
        self._turns: WeakValueDictionary[Ref, asyncio.Lock] = WeakValueDictionary()
        #: When an object was first asked to end, so that repeated deletes do not begin anew.
        self._asked: dict[Ref, float] = {}

    @property
    def keeps(self) -> frozenset[str]:
        """The limits that servers are held to."""
        return self._keeps

    @property
    def helper_pid(self) -> int | None:
        """The helper's process id, while there is one."""
        return self._helper.pid

    def on_exit(self, callback: Callable[[Ref], None]) -> None:
        """Call `callback` (on the event loop) as soon as a main process ends."""
        self._living.on_exit(callback)

    async def create(self, spec: LaunchSpec) -> Sight:
        """Start it unless it exists. Raises `LaunchFailed` or `AddressTaken`."""
        async with self._turn(spec.ref):
            await self._helper.ready()
            running = self._living.get(spec.ref)
            if running is not None and await asyncio.to_thread(_acceptable, running.uid, spec.run_as):
                return sight_of(running.record, alive=True)
            record = Record(**await self._helper.ask("launch", **_order(spec, self._places)))
            # A short program may have ended by now; the next look says so.
            return sight_of(record, alive=not record.ended and (spec.ref in self._living or lives(record)))

    async def observe(self, ref: Ref) -> Sight:
        """Look at one object."""
        await self._helper.ready()
        running = self._living.get(ref)
        if running is not None:
            if running.own or procfs.alive(*running.leader):
                return sight_of(running.record, alive=True)
            self._living.ended(ref, running)
        record = await self._recorded(ref)
        if record is None:
            return ABSENT
        alive = lives(record)
        if alive:
            self._living.found(record)
        return sight_of(record, alive=alive)

    async def delete(self, ref: Ref, *, grace: float) -> Sight:
        """End all its processes, by force after `grace` seconds, and forget the object; its log stays."""
        async with self._turn(ref):
            await self.observe(ref)  # finds also what another hub process has started
            asked = self._asked.setdefault(ref, _now())
            if not await self._end(ref, self._living.get(ref), asked + grace):
                return Sight(Life.RUNNING, detail="It does not end, not even by force.")
            await self._helper.ask("erase", ref=str(ref))
            self._asked.pop(ref, None)
            self._living.ended(ref)
            return ABSENT

    async def list(self) -> Mapping[Ref, Sight]:
        """All objects of this hub on this machine, also those whose creation was never recorded."""
        sights: Mapping[Ref, Sight] = await self._helper.ask("list", then=self._living.see)
        return sights

    async def logs(self, ref: Ref, *, tail: int) -> str:
        """The last `tail` bytes of its output, also after it was deleted; empty when there is none."""
        return await asyncio.to_thread(logfiles.read_tail, self._places.log(str(ref)), tail)

    async def forget(self, server_id: int) -> None:
        """Remove the output of all attempts of a server, and its own working folder if that is empty."""
        await asyncio.to_thread(_remove_folders, self._places, server_id)

    async def close(self) -> None:
        """Let go of everything held in this process; servers go on."""
        await self._helper.close()
        await self._roll.close()
        self._living.close()

    def _event(self, message: Message) -> None:
        if message["event"] == "launched":
            self._living.launched(Record(**message["ok"]))
        elif message["event"] == "exited":
            self._living.ended(parse_ref(message["ref"]))

    def _turn(self, ref: Ref) -> asyncio.Lock:
        """One verb at a time changes an object."""
        return self._turns.setdefault(ref, asyncio.Lock())

    async def _recorded(self, ref: Ref) -> Record | None:
        record = await asyncio.to_thread(records.load, self._places, self._hub_id, str(ref))
        for pause in _WITNESSED:
            if record is None or record.ended or lives(record):
                break
            # It may have ended between the two looks; another hub's helper may be about to say how.
            await asyncio.sleep(pause)
            record = await asyncio.to_thread(records.load, self._places, self._hub_id, str(ref))
        return record

    async def _signal(self, of: dict[str, Leader | None], number: int, spare: bool) -> dict[str, int]:
        counts: dict[str, int] = await self._helper.ask("signal", of=of, number=number, spare=spare)
        return counts

    async def _end(self, ref: Ref, running: Running | None, deadline: float) -> bool:
        """End all processes of an object; whether none is left."""
        name = str(ref)
        # Where no main process is known, the helper looks into the record: the object's session may still
        # have members, or a launch whose caller gave up may be on its way.
        leader = running.leader if running else None
        if running is not None and _now() < deadline:
            await self._helper.ask("term", pid=running.record.pid, start=running.record.start)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(running.ended.wait(), deadline - _now())
        # Its group has been asked to end just now; what has left the group has not.
        left = await self._roll.call(name, leader, signal.SIGTERM, spare=running is not None)
        pause = 0.01
        while left and _now() < deadline:
            await asyncio.sleep(min(pause, max(deadline - _now(), 0)))
            pause = min(pause * 2, 0.5)
            left = await self._roll.call(name, leader, 0)
        for pause in _BY_FORCE:
            if not left:
                break
            await asyncio.sleep(pause)
            left = await self._roll.call(name, leader, signal.SIGKILL)
        return not left


def _acceptable(uid: int | None, run_as: str | None) -> bool:
    """Whether a process that runs as `uid` (None: one of record) may be what was asked for."""
    if uid is None:
        return True
    try:
        return uid == (os.geteuid() if run_as is None else pwd.getpwnam(run_as).pw_uid)
    except KeyError:
        return False


def _order(spec: LaunchSpec, places: Places) -> dict[str, Any]:
    command, env = list(spec.command), dict(spec.env)
    if spec.setup is not None:
        order = {"ref": str(spec.ref), "command": command, **msgspec.to_builtins(spec.setup)}
        env |= prelude.encode(order)
        command = prelude.invocation(spec.run_as)
    return {
        "ref": str(spec.ref),
        "command": command,
        "env": env,
        "ip": spec.address.ip if spec.address else "",
        "port": spec.address.port if spec.address else 0,
        "run_as": spec.run_as,
        "cwd": spec.cwd,
        "home": spec.home,
        "fallback": places.work(spec.ref.server_id),
        "memory": spec.memory_bytes,
        "cpus": spec.cpus,
    }


def _remove_folders(places: Places, server_id: int) -> None:
    shutil.rmtree(places.logs(server_id), ignore_errors=True)
    with contextlib.suppress(OSError):
        Path(places.work(server_id)).rmdir()


def _now() -> float:
    return asyncio.get_running_loop().time()
