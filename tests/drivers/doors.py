"""Machines with doors, each with a hub that tells what it was asked, and an edge that knows only an address."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
from envoy_rig import SIGNER, Backend, free_port, short_directory

from apphub.kit.addresses import Address
from apphub.kit.secrets import Keys
from apphub.kit.trust import EDGE, HUB, EdgeKey, hubs
from apphub.proxy.base import Route, Visitor, by_scope
from apphub.proxy.envoy.bootstrap import Edge, Far
from apphub.proxy.envoy.control import ControlPlane
from apphub.proxy.envoy.door import Door
from apphub.proxy.envoy.meeting import Meeting
from apphub.proxy.envoy.process import EnvoyProcess

KEYS = Keys(b"the one key of the hubs of tests!")
KEY = EdgeKey.of(KEYS, SIGNER.key_set_json())
#: Ports of servers, as the doors know them: all that a system gives.
PORTS = (1024, 65535)


def now() -> datetime:
    return datetime.now(UTC)


class Machine:
    """A hub's HTTP, its routes, and the door to both."""

    def __init__(self, folder: Path, name: str, ports: tuple[int, int] = PORTS) -> None:
        self.name = name
        self.address = Address("127.0.0.1", free_port())
        self.hub = Backend(f"hub of {name}")
        self.meeting = Meeting(folder / name)
        self.control = ControlPlane(self.meeting.control(1), ended=self.meeting.ended)
        self.door = Door(
            run_dir=folder / f"{name}-door",
            bind=(self.address,),
            place=name,
            base_url="/",
            ports=ports,
            services=(),
            trusted=KEY.edges.certificate,
            meeting=self.meeting,
        )
        self.envoy = EnvoyProcess(self.door, papers=lambda: hubs(KEYS).issue(HUB, now()))

    async def open(self) -> None:
        await self.hub.listen_on(self.meeting.hub(1))
        await self.control.start({})
        await self.envoy.ensure()

    async def close(self) -> None:
        await self.envoy.drain_and_stop(grace=0)
        await self.control.close()
        with contextlib.suppress(AssertionError):
            await self.hub.close()


@dataclasses.dataclass
class Land:
    """Machines, one edge, and a client of it."""

    machines: list[Machine]
    edge: Edge
    envoy: EnvoyProcess
    client: httpx.AsyncClient
    #: What every hub says when an edge asks.
    live: list[str]
    ended: list[Visitor] = dataclasses.field(default_factory=list)
    apps: list[Backend] = dataclasses.field(default_factory=list)

    def said(self, head: str) -> bytes | None:
        if not head.startswith("GET /hub/edge/hubs "):
            return None
        places = {machine.name: str(machine.address) for machine in self.machines}
        body = json.dumps({"places": places, "live": self.live, "ended": self.ended}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def app(self, name: str) -> Backend:
        self.apps.append(await Backend(name).listen())
        return self.apps[-1]

    async def route(self, *routes: Route) -> None:
        """Every hub publishes these."""
        for machine in self.machines:
            if machine.control.edges:
                assert await machine.control.publish(by_scope(routes))
            else:
                machine.control.note(by_scope(routes))


@contextlib.asynccontextmanager
async def land(*names: str, ports: tuple[int, int] = PORTS) -> AsyncIterator[Land]:
    with short_directory() as folder:
        machines = [Machine(folder, name, ports) for name in names]
        edge = Edge(
            run_dir=folder / "edge",
            bind=(Address("127.0.0.1", free_port()),),
            meeting=Meeting(folder / "nobody"),
            keys=KEY.passes,
            far=Far((str(machines[0].address),), KEY.hubs, lambda: KEY.edges.issue(EDGE, now())),
        )
        client = httpx.AsyncClient(base_url=f"http://{edge.bind[0]}", timeout=10)
        all_of_it = Land(machines, edge, EnvoyProcess(edge), client, list(names))
        try:
            for machine in machines:
                machine.hub.answer = all_of_it.said
                await machine.open()
            await all_of_it.envoy.ensure()
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(one.supervise())
                    for one in (all_of_it.envoy, *(machine.envoy for machine in machines))
                ]
                try:
                    yield all_of_it
                finally:
                    for loop in loops:
                        loop.cancel()
        finally:
            await all_of_it.envoy.drain_and_stop(grace=0)
            await client.aclose()
            for app in all_of_it.apps:
                await app.close()
            for machine in machines:
                await machine.close()
