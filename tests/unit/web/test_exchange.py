"""The short way of a request through the web server: it tells clients the same as the long one."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import pytest

from apphub.web.body import LIMIT
from apphub.web.front import Front
from apphub.web.json import Answer
from apphub.web.request import AT_ONCE, BODY
from apphub.web.server import EXCHANGE, serving


class Api:
    """Behind `Front`: answers with the body of the request, and notes which way was gone."""

    def __init__(self) -> None:
        self.short: list[bool] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = scope[BODY].whole()
        self.short.append(body is not None)
        if body is None:
            body, more = b"", not scope[BODY].over
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"].endswith("/wait"):
            await self.go.wait()
        status = int(scope["path"].rpartition("/")[2]) if scope["path"][-1].isdigit() else 200
        answer = Answer(b"" if status == 204 else body or b"{}", status)
        if scope["path"].endswith("/own"):
            answer.headers["retry-after"] = "1\r\nx-evil: 1"
        await answer.to_asgi_response(None, None)(scope, receive, send)  # type: ignore[arg-type]
        self.short.append(AT_ONCE in scope and scope[AT_ONCE](200, b"again"))


async def ask(*pieces: bytes, long: bool = False) -> tuple[bytes, Api]:
    """All that comes back from a hub's front, by the short way where there is one or by the long one."""
    api = Api()
    front = Front(api, object(), base="/", trusted=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if long:
            del scope[EXCHANGE]
        await front(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving([(app, listener)], patience=2, drain=1):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            api.go.set()
            async with asyncio.timeout(10):
                got = await reader.read()
            writer.close()
    return got, api


def request(
    path: str, body: bytes = b"", *, method: str = "POST", more: str = "", last: bool = True
) -> bytes:
    length = f"content-length: {len(body)}\r\n" if body else ""
    close = "connection: close\r\n" if last else ""
    return f"{method} {path} HTTP/1.1\r\nhost: x\r\n{length}{more}{close}\r\n".encode() + body


def plain(answer: bytes) -> tuple[bytes, set[bytes], bytes]:
    """Status line, headers but for what differs from request to request, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = re.sub(rb"(date|x-request-id): [^\r]+", rb"\1", head).split(b"\r\n")
    assert len(headers) == len(set(headers))
    return first, set(headers), body


@pytest.mark.parametrize(
    "sent",
    [
        request("/hub/api/groups/a", b'{"a": 1}'),
        request("/hub/api/groups/a", method="GET"),
        request("/hub/api/groups/204", method="DELETE"),
        request("/hub/api/groups/404", method="GET"),
        request("/hub/api", method="GET"),
        request("/hub/api/", method="GET"),
        request("/hub/api/x", method="OPTIONS"),
        request("/hub/home", method="GET"),
        request("/hub/api/groups/a", b"x" * LIMIT),
    ],
    ids=lambda sent: sent[:30].decode(),
)
async def test_both_ways_say_the_same(sent: bytes) -> None:
    (short, api), (long, other) = await ask(sent), await ask(sent, long=True)
    assert plain(short) == plain(long)
    assert len(short) == len(long)
    assert not any(other.short)
    if api.short and b" /hub/api/" in sent and b"OPTIONS" not in sent and b"/hub/api/ " not in sent:
        assert api.short == [b"POST" in sent and len(sent) < 1000, False]  # a second answer is refused


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    sent = request("/hub/api/wait", b"one", last=False) + request("/hub/api/b", b"two")
    got, api = await ask(sent)
    assert got.count(b"HTTP/1.1 200") == 2
    assert got.index(b"\r\n\r\none") < got.index(b"\r\n\r\ntwo")
    assert api.short[0]


async def test_a_body_that_comes_later_is_waited_for() -> None:
    whole = request("/hub/api/b", b"one two")
    got, api = await ask(whole[:-4], whole[-4:])
    assert got.endswith(b"\r\n\r\none two")
    assert not api.short[0]


async def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    whole = request("/hub/api/b", b"one", more="expect: 100-continue\r\n")
    got, _ = await ask(whole[:-3], whole[-3:])
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert got.endswith(b"one")


async def test_a_header_of_its_own_is_looked_at() -> None:
    got, _ = await ask(request("/hub/api/own", b"{}"))
    assert b"x-evil" not in got
    assert got == b""  # the connection ends


async def test_who_has_gone_is_not_answered() -> None:
    api = Api()
    front = Front(api, object(), base="/", trusted=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving([(front, listener)], patience=2, drain=1):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(request("/hub/api/wait", b"one"))
            await writer.drain()
            async with asyncio.timeout(10):
                while not api.short:
                    await asyncio.sleep(0.01)
                writer.close()
                await writer.wait_closed()
                await asyncio.sleep(0.05)
                api.go.set()
                while len(api.short) < 2:
                    await asyncio.sleep(0.01)
    assert api.short == [True, False]
