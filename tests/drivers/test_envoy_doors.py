"""Edges and hubs of several machines: what passes a door, and who does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from doors import KEY, KEYS, Land, land, now
from envoy_rig import WebSocket, free_port, stop_listening

from apphub.kit.secrets import Keys
from apphub.kit.trust import EDGE, HUB, HUB_ROUTES, Authority, EdgeKey, Papers, hubs
from apphub.proxy.base import Route, Visitor
from apphub.proxy.envoy.mutual import identity_file
from apphub.proxy.envoy.resources import HUBS_PATH

STRANGER = EdgeKey.of(Keys(b"another key, of somebody else's hub"), "{}")


async def until(look: object, within: float = 6) -> None:
    async with asyncio.timeout(within):
        while not look():  # type: ignore[operator]
            await asyncio.sleep(0.05)


async def test_requests_websockets_and_routes_go_by_the_door_of_the_right_machine() -> None:
    async with land("one", "two") as all_of_it:
        apps = [await all_of_it.app("first"), await all_of_it.app("second")]
        await all_of_it.route(
            Route("/user/ada/", apps[0].address, place="one"),
            Route("/user/bob/", apps[1].address, place="two"),
        )
        for user, app in (("ada", "first"), ("bob", "second")):
            answer = await all_of_it.client.get(f"/user/{user}/x?y=1", headers={"x-hub-place": "two"})
            assert answer.text.startswith(f"{app}\nGET /user/{user}/x?y=1 HTTP/1.1"), answer.text
            assert "x-hub" not in answer.text.lower()
            assert "x-forwarded-for: 127.0.0.1\r\n" in answer.text
            assert f"host: {all_of_it.edge.bind[0]}" in answer.text.lower()
        socket = await WebSocket.connect(all_of_it.edge.bind[0], "/user/bob/socket")
        assert await socket.ask("hello") == "hello"
        await socket.close()
        asked = {(await all_of_it.client.get("/hub/home")).text.partition("\n")[0] for _ in range(20)}
        assert asked == {"hub of one", "hub of two"}
        # An edge has one stream of routes, to any of them.
        assert sum(len(machine.control.edges) for machine in all_of_it.machines) == 1


async def test_a_door_leads_to_servers_of_its_own_machine_only() -> None:
    async with land("one") as all_of_it:
        app = await all_of_it.app("app")
        await all_of_it.route(
            # Another machine had the address before, and a port that no server has.
            Route("/user/ada/", app.address, place="gone"),
            Route("/user/bob/", app.address._replace(port=80), place="one"),
            Route("/services/other/", app.address, place="*"),
        )
        for path in ("/user/ada/", "/user/bob/", "/services/other/"):
            assert (await all_of_it.client.get(path)).status_code == 503
        with by_hand(all_of_it, KEY.edges.issue(EDGE, now())) as client:
            for headers in (
                {"x-hub-place": "two", "x-hub-port": str(app.address.port)},
                {"x-hub-port": str(app.address.port)},
                {"x-hub-place": "one", "x-hub-port": "80"},
                {"x-hub-place": "one", "x-hub-port": f"{app.address.port}@10.0.0.1:1"},
                {"x-hub-place": "one", "x-hub-dst": str(app.address)},
                {"x-hub-dst": str(app.address)},
            ):
                assert (await asyncio.to_thread(client.get, "/", headers=headers)).status_code == 503, headers
            there = {"x-hub-place": "one", "x-hub-port": str(app.address.port)}
            assert (await asyncio.to_thread(client.get, "/", headers=there)).status_code == 200
    assert len(app.heads) == 1


@contextlib.contextmanager
def by_hand(
    all_of_it: Land, papers: Papers | None, asked_for: str = HUB, trusted: str = KEY.hubs
) -> Iterator[httpx.Client]:
    """A client of the first machine's door."""
    context = ssl.create_default_context(cadata=trusted)
    if papers is not None:
        file = all_of_it.edge.run_dir / "by-hand.pem"
        file.write_text(papers.certificate + papers.key)
        context.load_cert_chain(file)
    transport = httpx.HTTPTransport(verify=context)
    address = all_of_it.machines[0].address

    def name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = asked_for

    hooks = {"request": [name]}
    with httpx.Client(transport=transport, base_url=f"https://{address}", event_hooks=hooks) as client:
        yield client


async def answered(client: httpx.Client, path: str) -> bool:
    """Whether there is any answer at all."""
    try:
        await asyncio.to_thread(client.get, path)
    except httpx.TransportError:
        return False
    return True


def strangers() -> dict[str, Papers | None]:
    week = timedelta(days=7)
    return {
        "no certificate": None,
        "another authority's": STRANGER.edges.issue(EDGE, now()),
        "another authority's that calls itself the same": Authority("ab" * 32, "edges").issue(EDGE, now()),
        "an expired one": KEY.edges.issue(EDGE, now() - week, timedelta(days=6, hours=23)),
        "one of the future": KEY.edges.issue(EDGE, now() + week, week),
        "a hub's": hubs(KEYS).issue(HUB, now()),
        "an edge's name, signed as a hub": hubs(KEYS).issue(EDGE, now()),
        "another name, signed as an edge": KEY.edges.issue("visitor.apphub.internal", now()),
    }


async def test_nobody_but_an_edge_of_ours_passes_a_door() -> None:
    async with land("one") as all_of_it:
        with by_hand(all_of_it, KEY.edges.issue(EDGE, now())) as client:
            assert await answered(client, "/hub/home")
        for name, papers in strangers().items():
            with by_hand(all_of_it, papers) as client:
                assert not await answered(client, "/secret"), name
        # One that asks for nothing that a door is for, and one without any TLS.
        with by_hand(all_of_it, KEY.edges.issue(EDGE, now()), "example.org") as client:
            assert not await answered(client, "/secret")
        with httpx.Client(base_url=f"http://{all_of_it.machines[0].address}") as client:
            assert not await answered(client, "/secret")
        assert not [head for head in all_of_it.machines[0].hub.heads if "/secret" in head]


def handshake(all_of_it: Land, papers: Path, version: ssl.TLSVersion) -> tuple[str | None, bytes | None]:
    """Show these papers to the first machine's door: the version they agree on, and the door's certificate."""
    context = ssl.create_default_context(cadata=KEY.hubs)
    context.maximum_version = version
    context.load_cert_chain(papers)
    with (
        socket.create_connection(all_of_it.machines[0].address, timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HUB) as secured,
    ):
        return secured.version(), secured.getpeercert(binary_form=True)


async def test_a_door_takes_nothing_older_than_tls_1_3() -> None:
    async with land("one") as all_of_it:
        file = identity_file(all_of_it.edge.run_dir)
        # The alert may be overtaken by the end of the connection.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(handshake, all_of_it, file, ssl.TLSVersion.TLSv1_2)
        version, _ = await asyncio.to_thread(handshake, all_of_it, file, ssl.TLSVersion.TLSv1_3)
        assert version == "TLSv1.3"


async def test_papers_are_made_anew_while_requests_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with land("one") as all_of_it:
        file = identity_file(all_of_it.edge.run_dir)

        async def shown() -> bytes | None:
            """The door's certificate, to an edge with its own of this moment."""
            # OpenSSL reads a file once for the certificate and once for the key, and they may be changed between.
            papers = tmp_path / "papers.pem"
            papers.write_bytes(file.read_bytes())
            return (await asyncio.to_thread(handshake, all_of_it, papers, ssl.TLSVersion.TLSv1_3))[1]

        door, edge = await shown(), file.read_bytes()
        monkeypatch.setattr("apphub.proxy.envoy.mutual.RENEWED_AFTER", timedelta(0))
        async with asyncio.timeout(8):
            while door == await shown() or edge == file.read_bytes():
                assert (await all_of_it.client.get("/hub/home")).status_code == 200
        assert (await all_of_it.client.get("/hub/home")).status_code == 200


_SECRET = {"cookie": "apphub=secret"}


async def test_an_edge_takes_nobody_else_for_a_hub() -> None:
    async with land("one") as all_of_it:
        await all_of_it.client.get("/hub/home")
        for name, papers in {
            "an edge": KEY.edges.issue(HUB, now()),
            "somebody else's hub": Authority("cd" * 32, "hubs").issue(HUB, now()),
            "an expired hub": hubs(KEYS).issue(HUB, now() - timedelta(days=8)),
            "not called a hub": hubs(KEYS).issue(EDGE, now()),
        }.items():
            async with impostor(all_of_it.edge.run_dir, papers) as (address, heard):
                all_of_it.machines[0].address = address
                # The true hub says where it is now; then only the impostor is left to ask.
                await until(lambda at=str(address): heard_of(all_of_it, at))
                # A connection to the true hub may still be open: it counts until the edge has closed it.
                async with asyncio.timeout(10):
                    while (await all_of_it.client.get("/hub/home", headers=_SECRET)).status_code != 503:
                        assert not heard, name
                assert not heard, name
                all_of_it.machines[0].address = all_of_it.machines[0].door.bind[0]
                await until(lambda: heard_of(all_of_it, str(all_of_it.machines[0].address)))


def heard_of(all_of_it: Land, address: str) -> bool:
    return address in (all_of_it.edge.run_dir / "hubs.json").read_text()


@contextlib.asynccontextmanager
async def impostor(folder: Path, papers: Papers):  # type: ignore[no-untyped-def]
    """A TLS server with these papers: its address, and what it was told."""
    from apphub.kit.addresses import Address

    heard: list[bytes] = []
    file = folder / "impostor.pem"
    file.write_text(papers.certificate + papers.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if data := await reader.read(1000):
                heard.append(data)
        writer.close()

    address = Address("127.0.0.1", free_port())
    server = await asyncio.start_server(hear, address.ip, address.port, ssl=context)
    try:
        yield address, heard
    finally:
        await stop_listening(server)


async def test_no_path_of_a_visitor_leads_to_the_routes_or_to_what_edges_ask() -> None:
    async with land("one") as all_of_it:
        before = len(all_of_it.machines[0].control.edges)
        path = "/envoy.service.route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes"
        answer = await all_of_it.client.post(path, headers={"content-type": "application/grpc"}, content=b"")
        assert answer.text.startswith("hub of one"), (
            answer.text
        )  # as any other path: the hub knows nothing there
        assert len(all_of_it.machines[0].control.edges) == before
        for path in (
            HUBS_PATH,
            f"{HUBS_PATH}/",
            f"{HUBS_PATH}?x=1",
            "edge/./hubs",
            "edge/check/x",
            "edge/used/x",
        ):
            assert (await all_of_it.client.get(f"/hub/{path}")).status_code == 404, path
        with by_hand(all_of_it, KEY.edges.issue(EDGE, now()), HUB_ROUTES) as client:
            assert not await answered(client, "/hub/home")  # it speaks HTTP/2 alone


async def test_requests_pass_while_one_machine_has_no_hub_whatever_their_method() -> None:
    async with land("one", "two") as all_of_it:
        gone = all_of_it.machines[1]
        await gone.hub.close()
        gone.meeting.hub(1).unlink()
        # Nobody has told the edge: its door says that it has sent the request nowhere.
        for number in range(40):
            answer = await all_of_it.client.request("POST" if number % 2 else "GET", "/hub/x", content=b"y")
            assert (answer.status_code, answer.text.partition("\n")[0]) == (200, "hub of one")
        all_of_it.live.remove("two")
        file = all_of_it.edge.run_dir / "at-hub" / "endpoints.json"
        await until(lambda: str(gone.address.port) not in file.read_text())
        assert str(gone.address.port) in (all_of_it.edge.run_dir / "at-doors" / "endpoints.json").read_text()


async def test_an_edge_hears_whose_streams_must_end_and_knows_the_hubs_after_a_restart() -> None:
    async with land("one", "two") as all_of_it:
        all_of_it.ended.append(Visitor("server-1", "abc"))
        await until(lambda: (all_of_it.edge.run_dir / "ended").read_text() == "server-1 abc\n")
        # The only address that it was given no longer answers.
        await all_of_it.machines[0].envoy.drain_and_stop(0)
        all_of_it.live.remove("one")
        await all_of_it.envoy.drain_and_stop(0)
        await all_of_it.envoy.ensure()
        answer = await all_of_it.client.get("/hub/home")
        assert answer.text.startswith("hub of two")
