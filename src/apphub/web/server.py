"""The web server: uvicorn, in the thread of the hub's own event loop.

What uvicorn leaves open is closed here: a request's head is bounded in size and in time, and signals
are the hub's.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio import TimerHandle, Transport
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

#: The largest head of a request: bytes, headers, and bytes of its address (httptools reads no more).
MOST_BYTES, MOST_HEADERS, LONGEST_URL = 262_144, 200, 65_535
#: Connections that may wait to be taken.
BACKLOG = 1024
#: Where a scope has its `Exchange`.
EXCHANGE = "apphub.exchange"


@asynccontextmanager
async def serving(
    doors: Iterable[tuple[ASGIApp, socket.socket]], *, patience: int, drain: int
) -> AsyncGenerator[None]:
    """Serve each application at its listening socket.

    A connection is closed after `patience` seconds without a request, or with the head of one that is not
    whole. At the end, requests under way have `drain` seconds to finish.
    """
    servers = [(_Server(_config(app, patience, drain)), listener) for app, listener in doors]
    async with asyncio.TaskGroup() as group:
        for server, listener in servers:
            group.create_task(server.serve([listener]))
        try:
            yield
        finally:
            for server, _ in servers:
                server.should_exit = True


def _config(app: ASGIApp, patience: int, drain: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        log_config=None,
        log_level="error",  # its warnings are of what clients sent
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=patience,
        timeout_graceful_shutdown=drain,
    )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Together:
    """A transport that sends by one call what is written in one turn of the loop.

    The head of an answer and its body would leave apart. A hub that is killed in between would have said
    too much for the edge to ask another one, and too little for the client.
    """

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def write_now(self, data: bytes) -> None:
        """Write what need not wait for more."""
        if self._written:
            self.write(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.writelines(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Exchange:
    """One request, read and answered whole, for half of what ASGI's messages cost.

    Where that cannot be, they are the way. (It holds what holds its scope: whoever takes it takes it out.)
    """

    __slots__ = ("_connection", "_cycle")

    def __init__(self, connection: _Connection, cycle: Any) -> None:
        self._connection = connection
        self._cycle = cycle

    def body(self) -> bytes | None:
        """The whole body, once; None when it has not all come."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        self._connection.flow.resume_reading()  # as uvicorn's own way does
        return body

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Send a whole answer in one piece; whether that could be.

        `head` holds the lines of headers, which are not looked at: nothing that clients sent may be among them.
        """
        cycle, connection = self._cycle, self._connection
        if cycle.response_started or cycle.disconnected or connection.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        lines = [STATUS_LINE[status], head]
        for name, value in cycle.default_headers:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        lines.append(body)
        connection.transport.write_now(b"".join(lines))  # type: ignore[attr-defined]
        cycle.message_event.set()
        if not cycle.keep_alive:
            connection.transport.close()
        cycle.on_response()
        return True


class _Connection(HttpToolsProtocol):
    """A connection that ends when the head of a request is too large, or not whole in time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.url, self.headers = b"", []
        self.scope: Any = {}
        self._late: TimerHandle | None = None
        #: Bytes that have come since the last head that was whole.
        self._came = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(_Together(transport, self.loop))  # type: ignore[arg-type]
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._settle()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if "path" in self.scope:  # uvicorn puts it there once the head is whole
            self._settle()
            return
        self._expect()
        self._came += len(data)
        if self._came > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        if len(self.url) > LONGEST_URL or len(self.headers) > MOST_HEADERS:
            raise ValueError  # which is answered as every head that cannot be read
        super().on_headers_complete()
        self.scope[EXCHANGE] = Exchange(self, self.cycle)

    def send_400_response(self, msg: str) -> None:
        """Answer a head that cannot be read, or is too large, and close."""
        status = HTTPStatus.BAD_REQUEST
        if len(self.url) > LONGEST_URL:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        elif len(self.headers) > MOST_HEADERS or self._came > MOST_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        words = f"{status.phrase}\n"
        head = (
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(words)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + words).encode())
        self.transport.close()

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _settle(self) -> None:
        self._came = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
