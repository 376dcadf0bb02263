"""A real Envoy with a real control plane, a hub and apps that tell what they were asked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import httpx

from apphub.kit.addresses import Address
from apphub.kit.secrets import Keys
from apphub.passes.tokens import Signer
from apphub.proxy.base import Route, Scope, by_scope
from apphub.proxy.envoy.bootstrap import Edge, TlsFiles
from apphub.proxy.envoy.control import ControlPlane
from apphub.proxy.envoy.meeting import Meeting
from apphub.proxy.envoy.process import EnvoyProcess

#: Signs the passes that the edges of tests believe.
SIGNER = Signer(Keys(b"the key of a hub that tests have"))

#: A close frame that says "policy violation" (RFC 6455).
CLOSED = b"\x88\x02\x03\xf0"

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def free_port(ip: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((ip, 0))
        port: int = probe.getsockname()[1]
        return port


async def stop_listening(server: asyncio.Server) -> None:
    """Close it when each connection has been accepted wholly or not at all.

    `close()` alone leaves one that it finds half accepted open for good (Python 3.11).
    """
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(20):
        await asyncio.sleep(0)
    server.close()


class Backend:
    """A small HTTP server: answers with its name and the head it received; echoes websocket messages."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = Address("127.0.0.1", 1)
        #: Heads of the requests that came.
        self.heads: list[str] = []
        #: What to answer instead, for a head; None: the usual.
        self.answer: Callable[[str], bytes | None] = lambda _: None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self, ip: str = "127.0.0.1") -> Backend:
        self._server = await asyncio.start_server(self._serve, ip, 0)
        self.address = Address(ip, self._server.sockets[0].getsockname()[1])
        return self

    async def listen_on(self, path: Path) -> Backend:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path)
        return self

    async def close(self) -> None:
        """Gone like a killed process: no listener, no connection."""
        assert self._server is not None
        await stop_listening(self._server)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
                said = self.answer(head)
                if said is None and fields.get("upgrade") == "websocket":
                    key = next(v for k, v in _fields(head) if k.lower() == "sec-websocket-key")
                    return await _echo(key, reader, writer)
                await reader.readexactly(int(fields.get("content-length", 0)))
                if "/slow" in head.split("\r\n")[0]:
                    await asyncio.sleep(1)
                body = f"{self.name}\n{head}".encode()
                usual = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                writer.write(said or usual)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            self._writers.discard(writer)
            writer.close()


def _fields(head: str) -> list[tuple[str, str]]:
    return [(k, v) for k, _, v in (line.partition(": ") for line in head.split("\r\n"))]


async def _echo(key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
    )
    while True:
        first, size = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        masked = await reader.readexactly(size & 0x7F)
        writer.write(bytes((first, size & 0x7F)) + bytes(b ^ mask[i % 4] for i, b in enumerate(masked)))
        await writer.drain()
        if first & 0x0F == 8:
            return


def _frame(text: str) -> bytes:
    """A message as a client sends it."""
    mask, content = os.urandom(4), text.encode()
    masked = bytes(b ^ mask[i % 4] for i, b in enumerate(content))
    return bytes((0x81, 0x80 | len(content))) + mask + masked


class NotOpened(Exception):
    """A websocket was refused, with this head."""


class WebSocket:
    """Just enough of a client to say something short and hear it back (RFC 6455)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, address: Address, path: str, *, early: str = "", **headers: str) -> WebSocket:
        """Open one; `early` is said before the answer has come."""
        reader, writer = await asyncio.open_connection(address.ip, address.port)
        key = base64.b64encode(os.urandom(16)).decode()
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{more}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            + (_frame(early) if early else b"")
        )
        head = await reader.readuntil(b"\r\n\r\n")
        socket = cls(reader, writer)
        if not head.startswith(b"HTTP/1.1 101 "):
            await socket.close()
            raise NotOpened(head)
        return socket

    async def ask(self, text: str) -> str:
        self._writer.write(_frame(text))
        return await self.hear()

    async def hear(self) -> str:
        async with asyncio.timeout(5):
            _, size = await self._reader.readexactly(2)
            return (await self._reader.readexactly(size)).decode()

    async def hear_end(self, text: str) -> bytes:
        """Say something; what is heard until the connection has ended."""
        self._writer.write(_frame(text))
        async with asyncio.timeout(5):
            return await self._reader.read()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@dataclasses.dataclass
class Rig:
    """Everything that runs in one test."""

    edge: Edge
    control: ControlPlane
    envoy: EnvoyProcess
    hub: Backend
    client: httpx.AsyncClient
    backends: list[Backend] = dataclasses.field(default_factory=list)

    async def app(self, name: str, ip: str = "127.0.0.1") -> Backend:
        self.backends.append(await Backend(name).listen(ip))
        return self.backends[-1]

    async def route(self, *routes: tuple[str, Backend]) -> None:
        """Publish the scopes of these routes, and see that it worked."""
        assert await self.control.publish(by_scope(Route(prefix, app.address) for prefix, app in routes))

    async def get(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers=named)

    async def answers(self, path: str, within: float = 5) -> httpx.Response:
        """The first answer other than an error, asked for again and again."""
        async with asyncio.timeout(within):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    found = await self.get(path)
                    if found.status_code < 300:
                        return found
                await asyncio.sleep(0.02)


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="edge-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def an_edge(
    folder: Path,
    *bind: Address,
    base_url: str = "/",
    trusted_proxies: int = 0,
    tls: TlsFiles | None = None,
) -> Edge:
    run = folder / "run"
    return Edge(
        run_dir=run,
        bind=bind or (Address("127.0.0.1", free_port()),),
        base_url=base_url,
        tls=tls,
        trusted_proxies=trusted_proxies,
        meeting=Meeting(folder / "meet"),
        keys=SIGNER.key_set_json(),
    )


def a_control(socket: Path, base_url: str = "/", *, patience: float = 2.0) -> ControlPlane:
    """A control plane whose list of ended streams is where `an_edge` looks for it."""
    return ControlPlane(socket, base_url, ended=socket.with_name("ended"), patience=patience)


@contextlib.asynccontextmanager
async def running(
    *bind: Address,
    base_url: str = "/",
    trusted_proxies: int = 0,
    table: Mapping[str, Scope] | None = None,
) -> AsyncIterator[Rig]:
    with short_directory() as folder:
        edge = an_edge(folder, *bind, base_url=base_url, trusted_proxies=trusted_proxies)
        hub = await Backend("hub").listen_on(edge.meeting.hub(1))
        control = a_control(edge.meeting.control(1), base_url)
        await control.start(table or {})
        envoy = EnvoyProcess(edge)
        client = httpx.AsyncClient(base_url=f"http://{edge.bind[0]}", timeout=10)
        rig = Rig(edge, control, envoy, hub, client, [hub])
        try:
            await envoy.ensure()
            yield rig
        finally:
            await rig.envoy.drain_and_stop(grace=0)
            await rig.control.close()
            await client.aclose()
            for backend in rig.backends:
                await backend.close()


@contextlib.asynccontextmanager
async def second_edge(rig: Rig) -> AsyncIterator[Edge]:
    """One more Envoy at the same control plane, with an address of its own."""
    run = rig.edge.run_dir.with_name("run-2")
    bind = (Address("127.0.0.1", free_port()),)
    edge = dataclasses.replace(rig.edge, run_dir=run, bind=bind, name="second")
    envoy = EnvoyProcess(edge)
    try:
        await envoy.ensure()
        yield edge
    finally:
        await envoy.drain_and_stop(grace=0)


@contextlib.asynccontextmanager
async def supervised(envoy: EnvoyProcess) -> AsyncIterator[None]:
    """Watched while the block lasts."""
    task = asyncio.create_task(envoy.supervise())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
