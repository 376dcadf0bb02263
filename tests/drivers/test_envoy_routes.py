"""Where requests go, what the edge adds and takes away, what it answers itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from envoy_rig import Backend, Rig, WebSocket, free_port, running

from apphub.kit.addresses import Address
from apphub.proxy.base import Route


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as rig:
        yield rig


async def _raw(rig: Rig, request: str) -> str:
    """The answer to a request written by hand, for what httpx would not send."""
    reader, writer = await asyncio.open_connection(*rig.edge.bind[0])
    writer.write(request.replace("\n", "\r\n").encode())
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                answer += await reader.read(4096)
    writer.close()
    return answer.decode()


async def test_a_published_route_is_live_when_publish_returns_and_gone_when_it_is_withdrawn(rig: Rig) -> None:
    ada = await rig.app("ada")
    for _ in range(20):
        await rig.route(("/user/ada/", ada))
        assert (await rig.get("/user/ada/x?y=1")).text.startswith("ada\nGET /user/ada/x?y=1 ")
        assert await rig.control.publish({"user/ada": ()})
        assert (await rig.get("/user/ada/x")).status_code == 302


async def test_a_named_server_wins_over_the_default_one(rig: Rig) -> None:
    default, lab = await rig.app("default"), await rig.app("lab")
    await rig.route(("/user/ada/", default), ("/user/ada/lab/", lab))
    answers = [
        (await rig.get(f"/user/ada/{path}")).text.split("\n")[0] for path in ("", "x", "lab", "lab/", "lab/x")
    ]
    assert answers == ["default", "default", "default", "lab", "lab"]


async def test_services_are_routed_like_users(rig: Rig) -> None:
    await rig.route(("/services/stats/", await rig.app("stats")))
    assert (await rig.get("/services/stats/x")).text.startswith("stats\n")


async def test_names_are_matched_as_they_are_encoded_and_never_across_an_encoded_slash(rig: Rig) -> None:
    await rig.route(("/user/zo%C3%AB/", await rig.app("zoë")), ("/user/ada/", await rig.app("ada")))
    assert (await rig.get("/user/zo%C3%AB/x")).text.startswith("zoë\n")
    assert (await rig.get("/user/ada%2Fx/y")).headers["location"] == "/hub/user/ada%2Fx/y"
    assert (await rig.get("/user/ADA/")).status_code == 302
    inside = await rig.get("/user/ada/a%2Fb//c;d%5C..%2F")
    assert "GET /user/ada/a%2Fb//c;d%5C..%2F " in inside.text


async def test_a_path_is_normalised_before_its_scope_is_found(rig: Rig) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    for path in ("/user/ada/../bob/", "/user/ada/%2e%2e/bob/"):
        answer = await _raw(rig, f"GET {path} HTTP/1.1\nHost: h\n\n")
        assert "location: /hub/user/bob/\r\n" in answer
    assert "\r\nhub\nGET /hub/x " in await _raw(rig, "GET /user/ada/../../hub/x HTTP/1.1\nHost: h\n\n")


@pytest.mark.parametrize("path", ["/user/bob/", "/user/bob/tree/a?x=1&y=%2F", "/services/none/", "/user/"])
async def test_what_has_no_route_goes_to_the_hub_with_its_path_and_query(rig: Rig, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await rig.client.request(method, path)
        assert (answer.status_code, answer.headers["location"]) == (302, f"/hub{path}")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("query", ["", "?a=1&b=%2Fx%20"])
async def test_a_name_without_a_slash_gets_one(rig: Rig, query: str) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    for name in ("user/ada", "user/bob", "services/none"):
        answer = await rig.get(f"/{name}{query}")
        assert (answer.status_code, answer.headers["location"]) == (301, f"/{name}/{query}")


@pytest.mark.parametrize(
    "path", ["/", "/hub/home", "/hub/api/?x=1", "/user", "/elsewhere/user/ada/", "//user/ada/"]
)
async def test_everything_else_is_the_hubs(rig: Rig, path: str) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    assert f"hub\nGET {path} HTTP/1.1" in await _raw(rig, f"GET {path} HTTP/1.1\nHost: h\n\n")


async def test_what_lies_beside_the_base_url_is_the_hubs_whatever_it_looks_like() -> None:
    async with running(base_url="/apps/") as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        assert (await rig.get("/apps/user/ada/x")).text.startswith("ada\n")
        for path in ("/other/user/ada/x", "/other/hub/api/x", "/user/ada/x", "/apps"):
            assert (await rig.get(path)).text.startswith(f"hub\nGET {path} ")


async def test_a_websocket_is_kept_over_a_hundred_changes_and_the_end_of_its_route(rig: Rig) -> None:
    ada, other = await rig.app("ada"), await rig.app("other")
    await rig.route(("/user/ada/", ada))
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws")
    for i in range(100):
        await rig.route(
            (f"/user/u{i % 7}/", ada if i % 2 else other), ("/user/ada/", ada), (f"/user/ada/n{i}/", other)
        )
        if i % 10 == 0:
            assert await socket.ask(f"still {i}") == f"still {i}"
    await rig.control.publish({"user/ada": ()})
    assert await socket.ask("and now") == "and now"
    await socket.close()


async def test_an_app_may_be_quiet_for_as_long_as_it_likes_and_the_hub_may_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apphub.proxy.envoy.entrance.IDLE", "0.5s")
    async with running() as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws")
        hub, app = await asyncio.gather(rig.get("/hub/slow"), rig.get("/user/ada/slow"))
        assert (hub.status_code, app.status_code) == (504, 200)
        assert await socket.ask("still here") == "still here"
        await socket.close()


async def test_headers_that_only_the_edge_may_say_do_not_come_in_from_outside(rig: Rig) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    bad = {
        "X-Hub-Dst": "127.0.0.1:1",
        "x-hub-scope": "/user/bob/",
        "X-HUB-User": "root",
        "X-AppHub-User": "root",
        "X-Envoy-Retry-On": "5xx",
        "X-Envoy-Original-Path": "/evil",
        "Remote-User": "root",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "Proxy": "http://evil",
        "X_Hub_User": "root",
        "X_Forwarded_For": "6.6.6.6",
    }
    for path in ("/user/ada/", "/hub/"):
        seen = (await rig.client.get(path, headers=bad)).text.lower().split("\r\n")[1:]
        names = {line.partition(":")[0] for line in seen if line}
        assert names == {
            "host", "accept", "accept-encoding", "user-agent",
            "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
        }  # fmt: skip


async def test_forwarded_headers_are_the_edges_own(rig: Rig) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    spoofed = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Port": "1",
    }
    seen = (await rig.client.get("/user/ada/", headers=spoofed)).text
    address = rig.edge.bind[0]
    assert "x-forwarded-for: 127.0.0.1\r\n" in seen
    assert "x-forwarded-proto: http\r\n" in seen
    assert f"x-forwarded-host: {address}\r\n" in seen
    assert f"x-forwarded-port: {address.port}\r\n" in seen


async def test_a_trusted_proxy_is_believed_as_far_as_it_is_trusted() -> None:
    async with running(trusted_proxies=1) as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        said = {
            "X-Forwarded-For": "6.6.6.6, 7.7.7.7",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "hub.example",
            "X-Forwarded-User": "root",
        }
        seen = (await rig.client.get("/user/ada/", headers=said)).text
        assert "x-forwarded-for: 7.7.7.7\r\n" in seen
        assert "x-forwarded-proto: https\r\n" in seen
        assert "x-forwarded-host: hub.example\r\n" in seen
        assert "x-forwarded-user" not in seen


async def test_a_request_that_names_two_hosts_is_refused(rig: Rig) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    for path in ("/user/ada/", "/hub/", "/hub/api/user", "/nowhere"):
        assert (await rig.get(path, host="one,two")).status_code == 400
        answer = await _raw(rig, f"GET {path} HTTP/1.1\nHost: one\nHost: two\n\n")
        assert answer.startswith("HTTP/1.1 400 ")


async def test_large_cookies_pass(rig: Rig) -> None:
    await rig.route(("/user/ada/", await rig.app("ada")))
    assert (await rig.get("/user/ada/", cookie="c=" + "x" * 50_000)).status_code == 200
    assert (await rig.get("/user/ada/", **{f"h-{i}": "x" for i in range(150)})).status_code == 200


async def test_an_app_that_does_not_answer_is_told_in_words(rig: Rig) -> None:
    ada = await rig.app("ada")
    await rig.route(("/user/ada/", ada))
    await ada.close()
    answer = await rig.get("/user/ada/x")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "does not answer" in answer.text
    page = await rig.get("/user/ada/x", accept="text/html,*/*")
    assert page.headers["content-type"] == "text/html; charset=UTF-8"
    assert 'href="/hub/home"' in page.text


async def test_without_its_hub_apps_go_on_and_the_hubs_pages_say_so(rig: Rig) -> None:
    ada = await rig.app("ada")
    await rig.route(("/user/ada/", ada))
    assert (await rig.get("/hub/home")).status_code == 200
    await rig.hub.close()
    rig.edge.meeting.hub(1).unlink()
    await rig.control.close()

    async def asks() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        return await asyncio.gather(
            rig.get("/hub/home", accept="text/html"), rig.get("/hub/api/users"), rig.get("/hub/logo")
        )

    page, api, other = await asks()
    assert [answer.status_code for answer in (page, api, other)] == [503] * 3
    assert [answer.headers["retry-after"] for answer in (page, api, other)] == ["1"] * 3
    assert '<meta http-equiv="refresh" content="2">' in page.text
    assert api.json() == {"status": 503, "message": other.text.strip()}
    assert other.text.startswith("The hub is restarting.")
    assert (await rig.get("/user/ada/x")).text.startswith("ada\n")


async def test_a_request_waits_a_moment_for_a_hub_that_restarts(rig: Rig) -> None:
    await rig.hub.close()
    rig.edge.meeting.hub(1).unlink()
    waiting = asyncio.create_task(rig.client.post("/hub/api/users", content=b"body"))
    await asyncio.sleep(0.5)
    rig.backends.append(await Backend("next hub").listen_on(rig.edge.meeting.hub(1)))
    assert (await waiting).text.startswith("next hub\nPOST /hub/api/users ")


@pytest.mark.parametrize("base_url", ["/apps/", "/a/b.c/d/"])
async def test_everything_works_below_another_base_url(base_url: str) -> None:
    async with running(base_url=base_url) as rig:
        base = base_url.rstrip("/")
        await rig.route(("/user/ada/", await rig.app("ada")), ("/services/s/", await rig.app("s")))
        assert (await rig.get(f"{base}/user/ada/x")).text.startswith(f"ada\nGET {base}/user/ada/x ")
        assert (await rig.get(f"{base}/services/s/x")).text.startswith("s\n")
        for path in (f"{base}/hub/home", f"{base}/", "/", "/user/ada/", f"{base}/other"):
            assert (await rig.get(path)).text.startswith(f"hub\nGET {path} ")
        assert (await rig.get(f"{base}/user/bob/x?y=1")).headers["location"] == f"{base}/hub/user/bob/x?y=1"
        slash = await rig.get(f"{base}/user/bob?y=1")
        assert (slash.status_code, slash.headers["location"]) == (301, f"{base}/user/bob/?y=1")
        # Too long to be cut: the hub is left to redirect once more.
        tail = "x" * 9000
        long = await rig.get(f"{base}/user/bob/{tail}")
        assert (long.status_code, long.headers["location"]) == (302, f"{base}/hub{base}/user/bob/{tail}")


async def test_ipv6_addresses_serve_and_are_served() -> None:
    bind = (Address("::1", free_port("::1")), Address("127.0.0.1", free_port()))
    async with running(*bind) as rig:
        await rig.route(("/user/ada/", await rig.app("ada", "::1")))
        for address in bind:
            async with httpx.AsyncClient() as client:
                seen = (await client.get(f"http://{address}/user/ada/")).text
            assert seen.startswith("ada\n")
            assert f"x-forwarded-for: {address.ip}\r\n" in seen


async def test_the_wildcard_ipv6_address_serves_ipv4_and_names_its_clients_so() -> None:
    port = free_port("::")
    async with running(Address("::", port)) as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        for host, seen_as in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")):
            async with httpx.AsyncClient() as client:
                seen = (await client.get(f"http://{host}:{port}/user/ada/")).text
            assert f"x-forwarded-for: {seen_as}\r\n" in seen


async def test_both_wildcard_addresses_may_share_a_port() -> None:
    port = free_port("::")
    async with running(Address("0.0.0.0", port), Address("::", port)) as rig:
        for host in ("127.0.0.1", "[::1]"):
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://{host}:{port}/hub/")).text.startswith("hub\n")
        assert rig.control.edges == {"edge"}


async def test_two_hundred_scopes_are_live_after_one_publish(rig: Rig) -> None:
    ada = await rig.app("ada")
    began = time.perf_counter()
    changes = {f"user/u{i}": (Route(f"/user/u{i}/", ada.address),) for i in range(200)}
    assert await rig.control.publish(changes)
    assert time.perf_counter() - began < 1
    assert (await rig.get("/user/u199/")).text.startswith("ada\n")
