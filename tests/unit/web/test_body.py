"""How long a body may take: who sends it too slowly is told so, and what is left of it is waited for no longer."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from apphub.web import body
from apphub.web.errors import TooSlow, problem
from apphub.web.front import Front
from apphub.web.request import BODY
from apphub.web.server import serving

#: Seconds, in place of a minute.
WITHIN = 0.5


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "WITHIN", WITHIN)


class Api:
    """Behind `Front`: reads the body, but for a path of its own, and answers with its size or what was wrong."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            size = 0 if scope["path"].endswith("/unread") else await self._size(scope, receive)
            status, content = 200, str(size).encode()
        except TooSlow as error:
            refusal = problem(error)
            status, content = refusal.status_code, refusal.content
        length = (b"content-length", str(len(content)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [length]})
        await send({"type": "http.response.body", "body": content})

    async def _size(self, scope: Any, receive: Any) -> int:
        size = 0
        while not scope[BODY].over:
            size += len((await receive()).get("body", b""))
        return size


async def trickle(path: str, size: int, pause: float) -> tuple[bytes, float]:
    """What comes back for a body of ten pieces with pauses between, and when (seconds); a connection that ends does so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Front(Api(), object(), base="/", trusted=False)
        async with serving([(front, listener)], patience=5, drain=1):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            began = time.monotonic()
            writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {size * 10}\r\n\r\n".encode())

            async def send() -> None:
                for _ in range(10):
                    await asyncio.sleep(pause)
                    writer.write(b"x" * size)

            sending = asyncio.create_task(send())
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                got = head + await reader.readexactly(length)
                took = time.monotonic() - began
                if b"connection: close" in head:
                    with suppress(ConnectionResetError):
                        assert await reader.read() == b""
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
    return got, took


async def test_a_body_that_comes_in_time_is_taken_piece_by_piece() -> None:
    got, _ = await trickle("/hub/api/groups/a", 100, WITHIN / 50)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\n1000")
    assert b"connection: close" not in got


async def test_a_body_that_trickles_is_refused_in_words_and_the_connection_ends() -> None:
    got, took = await trickle("/hub/api/groups/a", 1, WITHIN)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in got
    assert b'"message":"The body of the request has not come within 0.5 seconds."' in got
    assert WITHIN <= took < 3 * WITHIN


async def test_a_body_that_nobody_reads_is_heard_out_no_longer() -> None:
    got, took = await trickle("/hub/api/groups/unread", 1, WITHIN)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in got
    assert WITHIN <= took < 3 * WITHIN
