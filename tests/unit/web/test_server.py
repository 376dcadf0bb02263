"""The web server by itself: what it refuses before any application sees it, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apphub.web.server import LONGEST_URL, MOST_BYTES, MOST_HEADERS, serving

PATIENCE, DRAIN = 1, 1
_GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo:
    """Answers the path and the body; `/wait` first waits for `go`."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        if scope["path"] == "/wait":
            await self.go.wait()
        text = scope["path"].encode() + body
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def echoing() -> AsyncGenerator[tuple[Echo, int]]:
    app = Echo()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with serving([(app, listener)], patience=PATIENCE, drain=DRAIN):
            yield app, port


async def say(port: int, *pieces: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    return reader, writer


async def heard(port: int, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    reader, writer = await say(port, *pieces)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(count: int = 0, *, url: int = 1) -> bytes:
    return b"GET /" + b"a" * (url - 1) + b" HTTP/1.1\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(count))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(MOST_HEADERS) + b"connection: close\r\n\r\n", 431),
        (head(MOST_HEADERS - 1) + b"connection: close\r\n\r\n", 200),
        (head(url=LONGEST_URL) + b"connection: close\r\n\r\n", 200),
        (head(url=LONGEST_URL + 1) + b"connection: close\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * (MOST_BYTES + 1), 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx : 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
    ids=lambda value: repr(value[:50]) if isinstance(value, bytes) else None,
)
async def test_heads_that_are_too_large_or_can_be_read_in_two_ways(sent: bytes, status: int) -> None:
    async with echoing() as (app, port):
        assert (await heard(port, sent)).startswith(b"HTTP/1.1 %d " % status)
        body_is_wrong = b"zz" in sent or b"gzip" in sent
        assert len(app.paths) == (status == 200 or body_is_wrong)


async def test_a_head_that_comes_in_drops_ends_in_time() -> None:
    async with echoing() as (app, port):
        begun = asyncio.get_running_loop().time()
        drops = [b"GET / HTTP/1.1\r\n", *[b"x: 1\r\n"] * 200]
        with pytest.raises(ConnectionError):
            await say(port, *drops)
        assert PATIENCE - 0.1 < asyncio.get_running_loop().time() - begun < PATIENCE + 2
        assert not app.paths


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", _GET % b"one", _GET % b"one" + b"GET / HTT"])
async def test_connections_on_which_nothing_comes_are_closed(sent: bytes) -> None:
    async with echoing() as (_, port):
        begun = asyncio.get_running_loop().time()
        answer = await heard(port, sent)
        assert answer.endswith(b"/one") == (b"one" in sent)
        assert PATIENCE - 0.1 < asyncio.get_running_loop().time() - begun < PATIENCE + 2


async def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    async with echoing() as (app, port):
        reader, writer = await say(port, _GET % b"wait" + _GET % b"two" + _GET % b"three")
        assert app.paths == ["/wait"]
        app.go.set()
        got = b""
        while b"/three" not in got:
            got += await reader.read(1000)
        assert got.index(b"/wait") < got.index(b"/two") < got.index(b"/three")
        writer.close()


async def test_a_long_body_and_a_slow_one_are_no_head() -> None:
    async with echoing() as (_, port):
        body = b"z" * (2 * MOST_BYTES)
        sent = b"POST /b HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        answer = await heard(port, sent, body[:10], body[10:])
        assert answer.endswith(b"/b" + body)


async def test_what_is_under_way_is_answered_at_the_end_and_idle_connections_are_closed() -> None:
    async with echoing() as (app, port):
        waiting = asyncio.create_task(heard(port, _GET % b"wait"))
        idle = asyncio.create_task(heard(port, _GET % b"idle"))
        while len(app.paths) < 2:
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.3, app.go.set)
    assert (await waiting).endswith(b"/wait")
    assert (await idle).endswith(b"/idle")


async def test_what_does_not_finish_is_cut_in_time() -> None:
    begun = asyncio.get_running_loop().time()
    async with echoing() as (app, port):
        waiting = asyncio.create_task(heard(port, _GET % b"wait"))
        while not app.paths:
            await asyncio.sleep(0.01)
        begun = asyncio.get_running_loop().time()
    assert DRAIN - 0.1 < asyncio.get_running_loop().time() - begun < DRAIN + 2
    waiting.cancel()


async def test_signals_stay_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with echoing() as (_, port):
        await heard(port, b"NONSENSE\r\n\r\n")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_the_head_of_an_answer_and_its_body_leave_together() -> None:
    """A hub that is killed between the two has said nothing, and the edge can ask another one."""

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        time.sleep(0.2)
        await send({"type": "http.response.body", "body": b"body"})

    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving([(answer, listener)], patience=PATIENCE, drain=DRAIN):
            first = await asyncio.to_thread(_first_bytes, listener.getsockname())
    assert first.endswith(b"\r\n\r\nbody")


def _first_bytes(address: Any) -> bytes:
    with socket.create_connection(address) as client:
        client.sendall(_GET % b"")
        return client.recv(1 << 16)
