"""The guard of a real Envoy, with a hub that says what the test wants it to say."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from envoy_rig import CLOSED, SIGNER, Backend, NotOpened, Rig, WebSocket, running
from msgspec.structs import replace

from apphub.passes.tokens import Claims
from apphub.proxy.base import Guard, Route, Visitor
from apphub.proxy.envoy import guard as guard_module
from apphub.proxy.envoy.child import workers
from apphub.proxy.envoy.ended import write_ended

GUARD = Guard("server-7", user_header="x-forwarded-user", groups_header="x-forwarded-groups")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running() as rig:
        rig.hub.answer = refusing
        yield rig


def refusing(head: str) -> bytes | None:
    """A hub that lets nobody in."""
    return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" if " /hub/edge/check" in head else None


async def guarded(rig: Rig, guard: Guard = GUARD, **more: object) -> Backend:
    """An app that the edge guards, at /user/ada/."""
    app = await rig.app("ada")
    await publish(rig, app, guard, **more)
    return app


async def publish(rig: Rig, app: Backend, guard: Guard, **more: object) -> None:
    assert await rig.control.publish(
        {"user/ada": (Route("/user/ada/", app.address, guard, **more),)}  # type: ignore[arg-type]
    )


def a_pass(audience: str = "server-7", *, session: str = "s1", epoch: int = 0, life: float = 60) -> str:
    now = datetime.now(UTC)
    claims = Claims(audience, "ada", session, epoch)
    return SIGNER.make(
        claims,
        groups=frozenset({"analysts"}),
        url="http://hub.example/user/ada/",
        now=now,
        expires=now + timedelta(seconds=life),
    )


def asked(rig: Rig) -> int:
    """How often the edge has asked the hub."""
    return sum(" /hub/edge/check" in head for head in rig.hub.heads)


async def test_a_pass_that_counts_lets_in_without_a_question(rig: Rig) -> None:
    await guarded(rig)
    answer = await rig.get("/user/ada/x", cookie=f"a=1; apphub-pass={a_pass()}; b=2")
    assert answer.status_code == 200
    assert "x-forwarded-user: ada\r\n" in answer.text
    assert "x-forwarded-groups: analysts\r\n" in answer.text
    assert "x-apphub-identity: ey" in answer.text
    assert "cookie: a=1; b=2\r\n" in answer.text
    assert asked(rig) == 0


@pytest.mark.parametrize(
    "held",
    [
        None,
        a_pass("server-8"),
        a_pass(epoch=1),
        a_pass(life=-60),
        a_pass()[:-4] + "AAAA",
    ],
    ids=["none", "another app", "another epoch", "expired", "forged"],
)
async def test_every_doubt_is_the_hubs_to_settle(rig: Rig, held: str | None) -> None:
    await guarded(rig)
    headers = {"cookie": f"apphub-pass={held}"} if held else {}
    assert (await rig.get("/user/ada/x", **headers)).status_code == 401
    assert asked(rig) == 1
    rig.hub.answer = lambda _: None
    assert (await rig.get("/user/ada/x", **headers)).text.startswith("ada\n")
    assert asked(rig) == 2


async def test_an_upload_of_any_size_waits_while_the_hub_is_asked(rig: Rig) -> None:
    app = await guarded(rig)
    rig.hub.answer = lambda _: None
    assert (await rig.client.post("/user/ada/slow", content=b"x" * 5_000_000)).text.startswith("ada\n")
    assert "/slow" in next(head for head in rig.hub.heads if " /hub/edge/check" in head)
    assert "content-length: 5000000\r\n" in app.heads[-1]


async def test_a_session_on_the_deny_list_is_asked_about_and_the_others_are_not(rig: Rig) -> None:
    app = await guarded(rig)
    await publish(rig, app, replace(GUARD, denied=("s1", "s11")))
    assert (await rig.get("/user/ada/x", cookie=f"apphub-pass={a_pass()}")).status_code == 401
    assert asked(rig) == 1
    # Names are compared whole: `s` and `1` are inside of what is denied.
    for session in ("s", "1", "s2", "1,s11"):
        held = a_pass(session=session)
        assert (await rig.get("/user/ada/x", cookie=f"apphub-pass={held}")).status_code == 200
    assert asked(rig) == 1


async def test_cookies_that_were_seen_before_let_in_no_longer_than_their_pass_counts(rig: Rig) -> None:
    app = await guarded(rig)
    other = Route("/user/bob/", app.address, replace(GUARD, id="server-8"))
    assert await rig.control.publish({"user/bob": (other,)})
    lasting, short = (f"a=1; apphub-pass={held}" for held in (a_pass(), a_pass(life=2)))

    async def visit(path: str, cookie: str) -> int:
        # Every worker remembers for itself; one connection stays with one of them.
        return (await rig.get(path, cookie=cookie)).status_code

    assert [await visit("/user/ada/x", cookie) for cookie in (lasting, short) * 2] == [200] * 4
    assert await visit("/user/bob/x", lasting) == 401
    await asyncio.sleep(2.1)
    assert await visit("/user/ada/x", short) == 401
    assert await visit("/user/ada/x", lasting) == 200
    for guard in (replace(GUARD, denied=("s1",)), replace(GUARD, epoch=1)):
        await publish(rig, app, guard)
        assert await visit("/user/ada/x", lasting) == 401
    assert asked(rig) == 4


async def test_an_app_sees_the_cookies_of_this_request_whatever_was_remembered_of_the_pass(rig: Rig) -> None:
    await guarded(rig)
    held = a_pass()
    for own in ("a=1", "a=2", "a=1; b=3", "a=1", ""):
        answer = await rig.get("/user/ada/x", cookie="; ".join(filter(None, (own, f"apphub-pass={held}"))))
        said = [line for line in answer.text.split("\r\n") if line.startswith("cookie: ")]
        assert said == ([f"cookie: {own}"] if own else [])
    long = "x" * 20_000
    answer = await rig.get("/user/ada/x", cookie=f"a={long}; apphub-pass={held}")
    assert f"cookie: a={long}\r\n" in answer.text
    assert asked(rig) == 0


async def test_a_hub_that_is_away_lets_nobody_in_who_has_no_pass(rig: Rig) -> None:
    await guarded(rig)
    await rig.hub.close()
    rig.edge.meeting.hub(1).unlink()
    assert (await rig.get("/user/ada/x")).status_code == 503
    assert (await rig.get("/user/ada/x", cookie=f"apphub-pass={a_pass()}")).status_code == 200


async def test_questions_and_reports_of_the_edge_cannot_be_sent_from_outside(rig: Rig) -> None:
    for path in (
        "/hub/edge/check/user/ada/",
        "/hub/edge/used/server-7",
        "/hub/edge/../edge/used/server-7",
        "/hub/edge/hubs",
        "/hub/edge/output/7/1",
    ):
        assert (await rig.client.post(path)).status_code == 404
    assert not rig.hub.heads


async def test_a_stripped_app_is_asked_without_its_prefix_and_only_there(rig: Rig) -> None:
    await guarded(rig, strip=True)
    cookie = f"apphub-pass={a_pass()}"
    for path, asked_for in (
        ("/user/ada/", "/"),
        ("/user/ada/x?y=1", "/x?y=1"),
        ("/user/ada//x", "//x"),
        ("/user/ada/user/ada/", "/user/ada/"),
    ):
        assert (await rig.get(path, cookie=cookie)).text.startswith(f"ada\nGET {asked_for} HTTP/1.1")
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", cookie=cookie)
    assert await socket.ask("hello") == "hello"
    await socket.close()


async def test_what_somebody_has_open_ends_within_moments_when_they_may_no_longer_visit(rig: Rig) -> None:
    app = await guarded(rig)
    gone, stays = [
        await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", cookie=f"apphub-pass={a_pass(session=one)}")
        for one in ("s1", "s2")
    ]
    for text in ("one", "a longer one"):
        assert await gone.ask(text) == text
        assert await stays.ask(text) == text
    rig.control.end_streams([Visitor("server-7", "s1")])
    await asyncio.sleep(1.1)
    assert await stays.ask("still here") == "still here"
    # The app hears a farewell too, and closes; what was said never reached it.
    assert await gone.hear_end("me too") == CLOSED
    await publish(rig, app, GUARD)
    assert await stays.ask("and now") == "and now"
    await gone.close()
    await stays.close()


async def test_the_hub_says_whose_stream_it_is_that_it_let_in(rig: Rig) -> None:
    await guarded(rig)
    named = b"HTTP/1.1 200 OK\r\nx-hub-session: s9\r\ncontent-length: 0\r\n\r\n"
    rig.hub.answer = lambda head: named if " /hub/edge/check" in head else None
    assert "s9" not in (await rig.get("/user/ada/x")).text
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws")
    assert await socket.ask("hello") == "hello"
    rig.control.end_streams([Visitor("server-7", "s9")])
    await asyncio.sleep(1.1)
    assert await socket.hear_end("still?") == CLOSED
    await socket.close()


async def test_who_sends_before_the_hub_has_let_them_in_is_known_all_the_same(rig: Rig) -> None:
    await guarded(rig)
    named = b"HTTP/1.1 200 OK\r\nx-hub-session: s9\r\ncontent-length: 0\r\n\r\n"
    rig.hub.answer = lambda head: named if " /hub/edge/check" in head else None
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", early="hello")
    assert await socket.hear() == "hello"
    rig.control.end_streams([Visitor("server-7", "s9")])
    await asyncio.sleep(1.1)
    assert await socket.hear_end("still?") == CLOSED
    await socket.close()


ALLOWED = (
    b"HTTP/1.1 200 OK\r\nx-apphub-identity: ey\r\nremote-user: ada\r\nx-hub-session: s9\r\nx-hub-dst: 1.2.3.4:5\r\n"
    b"cookie: mine=1\r\nx-envoy-auth-headers-to-remove: authorization\r\nserver: hub\r\n"
    b"set-cookie: apphub-pass=new; Path=/user/ada/\r\ncontent-length: 0\r\n\r\n"
)


async def test_the_app_and_the_browser_hear_what_the_hub_says_of_a_visitor_it_lets_in(rig: Rig) -> None:
    app = await guarded(rig)
    rig.hub.answer = lambda head: ALLOWED if " /hub/edge/check" in head else None
    cookies = "mine=1; apphub-session-id=theirs"
    answer = await rig.client.post(
        "/user/ada/x?y=1", content=b"z" * 100_000, headers={"cookie": cookies, "authorization": "token t"}
    )
    assert answer.headers.get_list("set-cookie") == ["apphub-pass=new; Path=/user/ada/"]
    (question,) = rig.hub.heads
    assert question.startswith("POST /hub/edge/check/user/ada/x?y=1 HTTP/1.1\r\n")
    for line in (f"cookie: {cookies}", "authorization: token t", "content-length: 0"):
        assert f"{line}\r\n" in question
    (told,) = app.heads
    for line in ("cookie: mine=1", "x-apphub-identity: ey", "remote-user: ada", "content-length: 100000"):
        assert f"{line}\r\n" in told
    for name in ("authorization", "x-hub-", "x-envoy-", "server", "set-cookie"):
        assert f"\r\n{name}" not in told


async def test_a_refusal_is_the_hubs_in_status_words_and_headers(rig: Rig) -> None:
    await guarded(rig)
    said = (
        b"HTTP/1.1 302 Found\r\nlocation: /hub/edge/login?next=/user/ada/\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
        b"cache-control: no-store\r\nx-hub-session: s9\r\ncontent-length: 5\r\n\r\nwords"
    )
    rig.hub.answer = lambda head: said if " /hub/edge/check" in head else None
    answer = await rig.get("/user/ada/x")
    assert (answer.status_code, answer.text) == (302, "words")
    assert answer.headers["location"] == "/hub/edge/login?next=/user/ada/"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hub-session" not in answer.headers
    broken = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 7\r\n\r\nsecrets"
    rig.hub.answer = lambda head: broken if " /hub/edge/check" in head else None
    answer = await rig.get("/user/ada/x")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "secrets" not in answer.text


async def test_several_cookie_headers_are_the_hubs_to_take_apart(rig: Rig) -> None:
    app = await guarded(rig)
    rig.hub.answer = lambda head: ALLOWED if " /hub/edge/check" in head else None
    lines = [("cookie", f"apphub-pass={a_pass()}; a=1"), ("cookie", "apphub-session-id=theirs")]
    for _ in range(2):
        assert (await rig.client.get("/user/ada/x", headers=lines)).status_code == 200
    assert asked(rig) == 2
    for told in app.heads:
        assert told.count("cookie:") == 1
        assert "cookie: mine=1\r\n" in told


async def test_an_error_in_the_script_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(guard_module._HERE, tmp_path, dirs_exist_ok=True)
    script = tmp_path / "guard.lua"
    script.write_text(
        script.read_text().replace("  local may, session", "  name = nil .. name\n  local may, session", 1)
    )
    monkeypatch.setattr(guard_module, "_HERE", tmp_path)
    async with running() as rig:
        app = await guarded(rig)
        for path in ("/user/ada/x", "/user/ada/user/ada/"):
            for headers in ({}, {"cookie": f"apphub-pass={a_pass()}"}, {"accept": "text/event-stream"}):
                answer = await rig.get(path, x_hub_dst=str(app.address), **headers)
                assert answer.status_code == 503
        with pytest.raises(NotOpened, match="503 Service Unavailable"):
            await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", cookie=f"apphub-pass={a_pass()}")
        assert not app.heads


async def test_a_route_that_the_script_does_not_understand_leads_nowhere(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apphub.proxy.envoy.resources._rule", lambda *_: "of another version")
    app = await guarded(rig)
    answer = await rig.get("/user/ada/x", cookie=f"apphub-pass={a_pass()}")
    assert answer.status_code == 503
    assert "wants an update" in answer.text
    assert not app.heads


async def test_streams_end_after_their_life(rig: Rig) -> None:
    await guarded(rig, stream_life=1)
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", cookie=f"apphub-pass={a_pass()}")
    assert await socket.ask("hello") == "hello"
    await asyncio.sleep(1.2)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await socket.ask("still?")
    await socket.close()


async def test_the_hub_hears_once_that_an_app_is_used_and_never_of_pings(rig: Rig) -> None:
    await guarded(rig)
    cookie = f"apphub-pass={a_pass()}"
    socket = await WebSocket.connect(rig.edge.bind[0], "/user/ada/ws", cookie=cookie)
    await _heard(rig, 1)
    for _ in range(20):
        await rig.get("/user/ada/x", cookie=cookie)
        await socket.ask("something typed")
        await socket.ask("3")
    await asyncio.sleep(0.3)
    # Each worker of the edge counts for itself, and there the script for requests and the one for streams.
    assert 1 <= uses(rig) <= 2 * workers(alone=False)
    await socket.close()


def uses(rig: Rig) -> int:
    return sum(head.startswith("POST /hub/edge/used/server-7 ") for head in rig.hub.heads)


async def _heard(rig: Rig, number: int) -> None:
    async with asyncio.timeout(5):
        while uses(rig) < number:
            await asyncio.sleep(0.02)


async def test_the_list_of_ended_streams_is_what_was_said_last_and_for_the_owner_only(rig: Rig) -> None:
    file = rig.edge.meeting.ended
    write_ended(file, [Visitor("server-7", "s1"), Visitor("server-7", "s2")])
    write_ended(file, [Visitor("server-7", "s2")])
    assert file.read_text() == "server-7 s2\n"
    assert file.stat().st_mode & 0o777 == 0o600
