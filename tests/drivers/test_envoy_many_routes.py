"""What the edge promises with 10,000 routes, with bounds that a busy machine keeps too.

`make bench-edge` measures the same with care; docs/reference/performance.md has the figures.
"""

from __future__ import annotations

import asyncio
import statistics
from datetime import timedelta
from pathlib import Path

from envoy_rig import SIGNER, Rig, running, second_edge
from route_changes import SOCKETS, Sockets, acknowledgements, change_often, many, restart_hub, sent, settled

from apphub.kit import clock
from apphub.kit.addresses import Address
from apphub.passes.tokens import Claims
from apphub.proxy.base import Guard, Route

HERE = Address("127.0.0.1", 1)
ROUTES = 10_000


async def test_with_ten_thousand_routes_a_change_is_acknowledged_by_two_edges_within_20_ms() -> None:
    async with running(table=many(ROUTES, HERE)) as rig, second_edge(rig) as other:
        await settled(rig, edges=2)
        ada = await rig.app("ada")
        took = await acknowledgements(rig, ada.address, 60)
        assert statistics.median(took) < 20, took
        await rig.route(("/user/ada/", ada))
        for edge in (rig.edge, other):
            answer = await rig.client.get(f"http://{edge.bind[0]}/user/ada/")
            assert answer.text.startswith("ada\n")


async def test_open_websockets_live_through_a_thousand_changes_and_a_restart_that_sends_only_differences() -> (
    None
):
    async with running(table=many(ROUTES, HERE)) as rig:
        await settled(rig)
        ada = await rig.app("ada")
        await rig.route(("/user/ada/", ada))
        sockets = await Sockets.open(rig, "/user/ada/ws")
        held = many(ROUTES, HERE) | await change_often(rig, ada.address, "user/ada", 1000)
        assert await sockets.alive() == SOCKETS

        found = {**held, "user/new": (Route("/user/new/", ada.address),)}
        found["user/u00001"] = (Route("/user/u00001/", ada.address),)
        del found["user/u00000"]
        with sent() as names:
            await restart_hub(rig, found)
        assert sorted(names) == ["user/new", "user/u00000", "user/u00001"]
        assert (await rig.get("/user/new/")).text.startswith("ada\n")
        assert await sockets.alive() == SOCKETS
        await sockets.close()


class Visitors:
    """Requests on kept connections, and what they cost Envoy."""

    def __init__(self, rig: Rig, headers: str) -> None:
        assert rig.envoy.pid is not None
        self._tasks = Path(f"/proc/{rig.envoy.pid}/task")
        self._address = rig.edge.bind[0]
        self._headers = headers

    async def cost(self, path: str, times: int) -> float:
        """Microseconds of a core per request."""
        reader, writer = await asyncio.open_connection(self._address.ip, self._address.port)
        request = f"GET {path} HTTP/1.1\r\nHost: {self._address}\r\n{self._headers}\r\n".encode()
        before = self._busy()
        for _ in range(times):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            size = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(size))
        writer.close()
        return (self._busy() - before) / times / 1000

    def _busy(self) -> int:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir())


async def test_guarding_costs_the_edge_less_than_the_request_itself() -> None:
    async with running() as rig:
        app = await rig.app("app")
        guard = Guard("server-1", user_header="x-forwarded-user", groups_header="x-forwarded-groups")
        open_route, guarded = (
            Route("/user/bob/", app.address),
            Route("/user/ada/", app.address, guard, stream_life=3600),
        )
        assert await rig.control.publish({"user/bob": (open_route,), "user/ada": (guarded,)})
        now = clock.now()
        held = SIGNER.make(
            Claims("server-1", "ada", "session", 0),
            groups=frozenset({"analysts"}),
            url="http://hub.example/user/ada/",
            now=now,
            expires=now + timedelta(hours=1),
        )
        visitors = Visitors(rig, f"Cookie: apphub-pass={held}\r\n")
        ratios = []
        for _ in range(9):
            plain = await visitors.cost("/user/bob/", 200)
            ratios.append(await visitors.cost("/user/ada/", 200) / plain)
        assert statistics.median(ratios) < 2, ratios
        assert not any("/edge/check" in head for head in rig.hub.heads), "the edge had to ask"
