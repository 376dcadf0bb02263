"""The reconciler's loop over real rows and objects in memory: what stays when a hub dies, and its lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from apphub.admission import Admission
from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.kit.urls import Urls
from apphub.reconcile.loop import Reconciler
from apphub.reconcile.outcomes import Recorder
from apphub.reconcile.ports import Ports
from apphub.reconcile.routes import Publisher
from apphub.reconcile.steps import Steps
from apphub.runtimes.base import LaunchFailed, LaunchSpec, Ref, Sight
from apphub.runtimes.null import NullRuntime
from apphub.servers.launch import Surroundings
from apphub.servers.model import Server, ServerKey
from fakes.people import KEYS, Town, settings_of
from fakes.planes import MemoryPlane

PATIENCE = timedelta(seconds=60)


class Died(BaseException):
    """The hub, in the middle of something."""


class Runtime(NullRuntime):
    """Objects in memory that outlive the loop; counts launches, and fails or dies when it is told to."""

    def __init__(self) -> None:
        super().__init__("here")
        self.launches: list[Ref] = []
        self.tokens: dict[Ref, set[str]] = {}
        self.most = 0
        self.die_after_create = False
        self.fail = ""
        self.output = ""

    async def create(self, spec: LaunchSpec) -> Sight:
        if self.fail:
            raise LaunchFailed(self.fail)
        if spec.ref not in await self.list():
            self.launches.append(spec.ref)
        self.tokens.setdefault(spec.ref, set()).add(spec.env["JUPYTERHUB_API_TOKEN"])
        sight = await super().create(spec)
        if self.die_after_create:
            self.die_after_create = False
            raise Died
        return sight

    async def logs(self, ref: Ref, *, tail: int) -> str:
        return self.output


@dataclass
class World:
    """What stays when a hub dies."""

    town: Town
    folder: Path
    runtime: Runtime = field(default_factory=Runtime)
    plane: MemoryPlane = field(default_factory=MemoryPlane)
    answers: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    start_timeout: timedelta = timedelta(seconds=30)
    apps: AppHosts | None = None

    @asynccontextmanager
    async def hub(self) -> AsyncGenerator[None]:
        """One life of a hub's loops."""
        db = self.town.db
        publisher = Publisher(db, self.plane, timedelta(0), self.apps)
        around = Surroundings(
            urls=Urls("/", "http://127.0.0.1:1", apps=self.apps),
            environ={},
            homes=self.folder / "homes",
            system_users=False,
            root=False,
        )
        admission = Admission(db, self.town.profiles, settings_of(**self.settings))
        steps = _Steps(
            db=db,
            runtime=self.runtime,
            ports=Ports(20000, 20999),
            keys=KEYS,
            around=around,
            stop_grace=timedelta(seconds=1),
            poll=timedelta(seconds=1),
            recorder=Recorder(db, admission),
        )
        steps.world.append(self)
        self.runtime._callbacks.clear()  # the dead hub hears nothing
        reconciler = Reconciler(db, steps, self.start_timeout, admission)
        await publisher.start()
        tasks = [asyncio.create_task(reconciler.run()), asyncio.create_task(publisher.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def becomes(self, key: ServerKey, so: Callable[[Server | None], bool]) -> Server | None:
        """Wait until the row is so."""
        end = asyncio.get_running_loop().time() + PATIENCE.total_seconds()
        while not so(found := await self.town.servers.find(key)):
            assert asyncio.get_running_loop().time() < end, found
            await asyncio.sleep(0.01)
        return found


class _Steps(Steps):
    """The real steps, but for the probe: the world says what answers."""

    world: ClassVar[list[World]] = []  # the class is frozen and has slots

    async def answers(self, server: Server) -> bool:
        assert isinstance(server.address, Address)
        return self.world[-1].answers
