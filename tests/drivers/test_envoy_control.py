"""The control stream: what edges are sent, when a publish counts as done, how fast it is."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
import httpx
import pytest
from envoy_rig import Rig, WebSocket, a_control, running, short_directory
from structlog.testing import capture_logs

from apphub.errors import Invalid
from apphub.kit.addresses import Address
from apphub.proxy.base import Route, Scope
from apphub.proxy.envoy.control import SERVICE, ControlPlane
from apphub.proxy.envoy.wire import block, fields, text

HERE = Address("127.0.0.1", 1)


def _scope(name: str, address: Address = HERE) -> dict[str, Scope]:
    return {name: (Route(f"/{name}/", address),)}


class FakeEdge:
    """An edge that is told what to answer, on a real stream."""

    def __init__(self, socket: Path) -> None:
        # A connection of its own: gRPC shares one among all channels to an address, also while it breaks.
        alone = (("grpc.use_local_subchannel_pool", 1),)
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", alone)
        self._call: Any = self._channel.stream_stream(f"/{SERVICE}/DeltaScopedRoutes")()

    async def hello(self, name: str, held: dict[str, str] | None = None) -> None:
        versions = (block(5, text(1, key) + text(2, value)) for key, value in (held or {}).items())
        await self._call.write(block(1, text(1, name)) + b"".join(versions))

    async def hears(self) -> tuple[dict[str, str], list[str], str]:
        """Versions by name, names taken away, nonce."""
        async with asyncio.timeout(3):
            found = list(fields(await self._call.read()))
        resources = [dict(fields(value)) for number, value in found if number == 2]
        versions = {item[3].decode(): item[1].decode() for item in resources}
        removed = [value.decode() for number, value in found if number == 6]
        return versions, removed, dict(found)[5].decode()

    async def says(self, nonce: str, error: str = "") -> None:
        await self._call.write(text(6, nonce) + (block(7, text(2, error)) if error else b""))

    async def babbles(self, nonsense: bytes) -> None:
        """Say this, and be cut off for it."""
        await self._call.write(nonsense)
        async with asyncio.timeout(3):
            assert await self._call.read() is grpc.aio.EOF

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()
        await self._channel.close()


@contextlib.asynccontextmanager
async def serving(
    socket: Path, table: Mapping[str, Scope] | None = None, patience: float = 2.0
) -> AsyncIterator[ControlPlane]:
    """A control plane that is closed at the end, also of a test that fails."""
    control = a_control(socket, patience=patience)
    await control.start(table or {})
    try:
        yield control
    finally:
        await control.close()


@pytest.fixture
def socket() -> Iterator[Path]:
    with short_directory() as folder:
        yield folder / "xds.sock"


async def test_the_hubs_scope_is_sent_first_and_an_edge_is_listed_while_it_is_connected(socket: Path) -> None:
    async with serving(socket, _scope("user/ada")) as control:
        async with FakeEdge(socket) as edge:
            await edge.hello("one")
            assert list((await edge.hears())[0]) == ["hub", "hub/api", "user/ada"]
            assert control.edges == {"one"}
        async with asyncio.timeout(3):
            while control.edges:
                await asyncio.sleep(0.01)


async def test_a_restarted_hub_sends_an_edge_only_what_differs(socket: Path) -> None:
    before = _scope("user/ada") | _scope("user/bob") | _scope("user/cyd")
    async with serving(socket, before), FakeEdge(socket) as edge:
        await edge.hello("one")
        held, _, _ = await edge.hears()

    after = _scope("user/ada") | _scope("user/bob", Address("127.0.0.1", 2)) | _scope("user/dan")
    async with serving(socket, after) as control, FakeEdge(socket) as edge:
        await edge.hello("one", held)
        versions, removed, nonce = await edge.hears()
        assert (list(versions), removed) == (["user/bob", "user/dan"], ["user/cyd"])
        await edge.says(nonce)
        assert await control.publish(_scope("user/ada"))


async def test_publish_waits_for_every_edge(socket: Path) -> None:
    async with serving(socket) as control, FakeEdge(socket) as one, FakeEdge(socket) as two:
        for name, edge in (("one", one), ("two", two)):
            await edge.hello(name)
            await edge.says((await edge.hears())[2])
        assert await control.publish({})
        publishing = asyncio.create_task(control.publish(_scope("user/ada")))
        nonces = [(await edge.hears())[2] for edge in (one, two)]
        await one.says(nonces[0])
        await asyncio.sleep(0.1)
        assert not publishing.done()
        await two.says(nonces[1])
        assert await publishing


async def test_changes_made_while_an_edge_is_busy_reach_it_together(socket: Path) -> None:
    async with serving(socket) as control, FakeEdge(socket) as edge:
        await edge.hello("one")
        nonce = (await edge.hears())[2]
        publishing = [asyncio.create_task(control.publish(_scope(f"user/u{i}"))) for i in range(50)]
        await asyncio.sleep(0.05)
        await edge.says(nonce)
        versions, _, nonce = await edge.hears()
        assert len(versions) == 50
        await edge.says(nonce)
        assert all(await asyncio.gather(*publishing))


async def test_publish_gives_up_on_an_edge_that_says_nothing_and_names_it(socket: Path) -> None:
    async with serving(socket, patience=0.3) as control, FakeEdge(socket) as edge:
        await edge.hello("mute")
        await edge.hears()
        with capture_logs() as logs:
            assert not await control.publish(_scope("user/ada"))
        assert [entry["edges"] for entry in logs if entry["event"] == "edge_slow"] == [["mute"]]


async def test_publish_waits_a_while_for_the_first_edge(socket: Path) -> None:
    async with serving(socket) as control:
        publishing = asyncio.create_task(control.publish(_scope("user/ada")))
        await asyncio.sleep(0.2)
        assert not publishing.done()
        async with FakeEdge(socket) as edge:
            await edge.hello("late")
            await edge.says((await edge.hears())[2])
            assert await publishing


async def test_publish_without_any_edge_is_not_done(socket: Path) -> None:
    async with serving(socket, patience=0.1) as control:
        assert not await control.publish(_scope("user/ada"))


async def test_an_edge_that_speaks_nonsense_is_cut_off_and_harms_nobody(socket: Path) -> None:
    async with serving(socket):
        for nonsense in (b"\xff\xff", b"\x0a\x7f"):
            async with FakeEdge(socket) as edge:
                await edge.babbles(nonsense)
        async with FakeEdge(socket) as edge:
            await edge.hello("sane")
            await edge.hears()
            await edge.babbles(b"\xff\xff")


async def test_the_socket_is_for_the_owner_only_and_replaces_a_stale_one() -> None:
    with short_directory() as folder:
        socket = folder / "run" / "xds.sock"
        socket.parent.mkdir(mode=0o755)
        socket.write_text("stale")
        async with serving(socket):
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert not socket.exists()


async def test_a_socket_path_that_is_too_long_is_told_in_words() -> None:
    with short_directory() as folder, pytest.raises(Invalid, match="107"):
        await a_control(folder / ("x" * 100) / "xds.sock").start({})


async def test_a_scope_that_envoy_refuses_is_named_and_the_others_are_live() -> None:
    async with running() as rig:
        ada = await rig.app("ada")
        changes = _scope("user/bad", Address("1\n2", 1))
        for i in range(9):
            changes |= _scope(f"user/u{i}", ada.address)
        with capture_logs() as logs:
            assert not await rig.control.publish(changes)
        (refused,) = [entry for entry in logs if entry["event"] == "edge_refused"]
        assert refused["scope"] == "'user/bad'"
        for i in range(9):
            assert (await rig.get(f"/user/u{i}/")).status_code == 200
        assert await rig.control.publish(_scope("user/bad", ada.address))
        assert (await rig.get("/user/bad/")).status_code == 200


async def _stat(rig: Rig, name: str) -> int:
    transport = httpx.AsyncHTTPTransport(uds=str(rig.edge.admin_socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as admin:
        found = (await admin.get("/stats", params={"filter": f"^{name}$"})).text
    return int(found.rpartition(":")[2])


async def _connected(control: ControlPlane) -> None:
    async with asyncio.timeout(5):
        while not control.edges:
            await asyncio.sleep(0.01)


async def test_a_real_edge_keeps_its_routes_over_a_restart_of_the_hub_and_takes_the_differences() -> None:
    async with running() as rig:
        ada, bob = await rig.app("ada"), await rig.app("bob")
        before = _scope("user/ada", ada.address) | _scope("user/gone", ada.address)
        assert await rig.control.publish(before | _scope("user/moved", ada.address))
        socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws")
        await rig.control.close()
        assert (await rig.get("/user/ada/")).text.startswith("ada\n")

        rig.control = a_control(rig.edge.meeting.control(1))
        after = _scope("user/ada", ada.address) | _scope("user/moved", bob.address)
        with capture_logs() as logs:
            await rig.control.start(after)
            await _connected(rig.control)
        assert [entry["held"] for entry in logs if entry["event"] == "edge_connected"] == [5]
        assert await rig.control.publish(after)
        assert (await rig.get("/user/ada/")).text.startswith("ada\n")
        assert (await rig.get("/user/moved/")).text.startswith("bob\n")
        assert await rig.control.publish({"user/gone": ()})
        assert (await rig.get("/user/gone/")).status_code == 302
        assert await socket.ask("hello") == "hello"
        await socket.close()
        assert await _stat(rig, "http.edge.scoped_rds.edge.update_rejected") == 0


async def test_a_hub_that_was_away_for_a_while_is_found_again_at_once() -> None:
    async with running() as rig:
        await rig.control.close()
        await asyncio.sleep(5)
        rig.control = a_control(rig.edge.meeting.control(1))
        began = time.monotonic()
        await rig.control.start({})
        await _connected(rig.control)
        assert time.monotonic() - began < 1.5


async def test_ten_thousand_scopes_are_there_soon_and_one_more_costs_no_more() -> None:
    table: dict[str, Scope] = {}
    for i in range(10_000):
        table |= _scope(f"user/u{i:05}")
    began = time.perf_counter()
    async with running(table=table) as rig:
        ada = await rig.app("ada")
        async with asyncio.timeout(20):
            while not await rig.control.publish({"user/u09999": table["user/u09999"]}):
                pass
        whole = time.perf_counter() - began
        costs = []
        for i in range(20):
            started = time.perf_counter()
            assert await rig.control.publish(_scope(f"user/new{i}", ada.address))
            costs.append(time.perf_counter() - started)
            assert (await rig.get(f"/user/new{i}/")).text.startswith("ada\n")
        started = time.perf_counter()
        burst = {name: scope for i in range(200) for name, scope in _scope(f"user/b{i}", ada.address).items()}
        assert await rig.control.publish(burst)
        many = time.perf_counter() - started
        memory = Path(f"/proc/{rig.envoy.pid}/status").read_text().partition("VmRSS:")[2].split()[0]

        held_before = len(rig.control._table)
        await rig.control.close()
        rig.control = a_control(rig.edge.meeting.control(1))
        started = time.perf_counter()
        await rig.control.start(table | burst)
        await _connected(rig.control)
        assert await rig.control.publish({"user/new0": ()})
        again = time.perf_counter() - started
        assert held_before > 10_000
    print(
        f"10,000 scopes: start {whole:.2f} s, publish {sorted(costs)[10] * 1e3:.1f} ms (most {max(costs) * 1e3:.1f}), "
        f"200 at once {many * 1e3:.0f} ms, Envoy {int(memory) // 1024} MB, hub back {again:.2f} s"
    )
    assert whole < 15
    assert sorted(costs)[10] < 0.1
    assert many < 1
