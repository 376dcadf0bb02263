"""Many routes on real edges, changed again and again: what tests hold, and what the benchmark measures."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping

from envoy_rig import Rig, WebSocket, a_control

from apphub.kit.addresses import Address
from apphub.proxy.base import Guard, Route, Scope
from apphub.proxy.envoy import session
from apphub.proxy.envoy.wire import Resource, response

SOCKETS = 16


def many(count: int, app: Address) -> dict[str, Scope]:
    """The routes of so many people."""
    return {f"user/u{i:05}": (Route(f"/user/u{i:05}/", app),) for i in range(count)}


async def settled(rig: Rig, edges: int = 1) -> None:
    """Wait until so many edges hold everything."""
    last: dict[str, Scope] = {"user/last": (Route("/user/last/", Address("127.0.0.1", 1)),)}
    async with asyncio.timeout(120):
        # A change waits for all that was on its way before it.
        while not await rig.control.publish(last) or len(rig.control.edges) < edges:
            await asyncio.sleep(0.02)
    await rig.control.publish({"user/last": ()})


async def acknowledgements(rig: Rig, app: Address, times: int) -> list[float]:
    """Milliseconds from a decision to the acknowledgement of every edge, one decision after the other.

    In turns a server that starts, one that stops, and a visitor who may no longer pass.
    """
    took = []
    for i in range(times):
        route = Route("/user/changing/", app, Guard("server-1", denied=(f"session-{i}",)))
        scope: Scope = () if i % 3 == 1 else (route,)
        began = time.perf_counter()
        assert await rig.control.publish({"user/changing": scope})
        took.append((time.perf_counter() - began) * 1000)
    assert await rig.control.publish({"user/changing": ()})
    return took


class Sockets:
    """Websockets that stay open meanwhile."""

    def __init__(self, sockets: list[WebSocket]) -> None:
        self._sockets = sockets

    @classmethod
    async def open(cls, rig: Rig, path: str) -> Sockets:
        return cls([await WebSocket.connect(rig.edge.bind[0], path) for _ in range(SOCKETS)])

    async def alive(self) -> int:
        """How many still say back what they hear."""
        alive = 0
        for number, socket in enumerate(self._sockets):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                alive += await socket.ask(f"still {number}") == f"still {number}"
        return alive

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()


async def change_often(rig: Rig, app: Address, scope: str, times: int) -> dict[str, Scope]:
    """Change other people's routes, and those of this scope too, so often; what they are in the end."""
    kept = Route(f"/{scope}/", app)
    after: dict[str, Scope] = {}
    for i in range(times):
        other = f"user/other{i % 50}"
        changes: dict[str, Scope] = {
            other: (Route(f"/{other}/", Address("127.0.0.1", 1 + i)),),
            scope: (Route(f"/{scope}/n{i}/", app), kept),
        }
        assert await rig.control.publish(changes)
        after |= changes
    return after


@contextlib.contextmanager
def sent() -> Iterator[list[str]]:
    """The names of all scopes that edges are sent, or told to forget, meanwhile."""
    names: list[str] = []

    def recording(nonce: str, resources: Iterable[tuple[str, Resource]], removed: Iterable[str]) -> bytes:
        resources, removed = list(resources), list(removed)
        names.extend((*(name for name, _ in resources), *removed))
        return response(nonce, resources, removed)

    session.response = recording
    try:
        yield names
    finally:
        session.response = response


async def restart_hub(rig: Rig, table: Mapping[str, Scope], edges: int = 1) -> float:
    """End the control plane and start another with this table; seconds until every edge has its last scope."""
    await rig.control.close()
    rig.control = a_control(rig.edge.meeting.control(1))
    began = time.perf_counter()
    await rig.control.start(table)
    # What changed last is sent last.
    last = next(reversed(table))
    async with asyncio.timeout(30):
        while len(rig.control.edges) < edges or not await rig.control.publish({last: table[last]}):
            await asyncio.sleep(0.01)
    return time.perf_counter() - began
