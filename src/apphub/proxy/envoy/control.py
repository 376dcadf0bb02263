"""The control stream: edges connect, are told their scopes, and acknowledge.

Delta scoped routes (SRDS) over gRPC on a unix socket. A hub that restarts must not open
the socket before its table is complete: an edge says what it holds, and is told to forget
what the table lacks. Hence `start(table)`.

gRPC closes connections that ping more often than every five minutes, and Envoy pings
every ten seconds to notice a dead hub: the options below allow that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import structlog

from apphub.errors import Unavailable, shown
from apphub.proxy.base import Scope, Visitor
from apphub.proxy.envoy.ended import write_ended
from apphub.proxy.envoy.resources import hub_resources, resource
from apphub.proxy.envoy.rundir import check_socket_path, private_directory
from apphub.proxy.envoy.session import Session
from apphub.proxy.envoy.wire import Malformed, Request, Resource

log = structlog.get_logger(__name__)

SERVICE = "envoy.service.route.v3.ScopedRoutesDiscoveryService"
#: How long `publish` waits for acknowledgements, in seconds.
PATIENCE = 2.0

_OPTIONS = (
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
    # An edge with 10,000 scopes names them all when it connects again.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.so_reuseport", 0),
)


class _Waiter:
    """One `publish` in wait of its scopes."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def settle(self, verdict: bool) -> None:
        if not self.done.done():
            self.done.set_result(verdict)


class ControlPlane:
    """A `DataPlane` of every Envoy that connects to one unix socket."""

    def __init__(
        self,
        socket: Path,
        base_url: str = "/",
        *,
        ended: Path,
        patience: float = PATIENCE,
        hides: bool = False,
    ) -> None:
        """With `hides` the hub's cookies are kept from apps that ask visitors by themselves."""
        self._socket = socket
        self._ended_file = ended
        self._ended: frozenset[Visitor] = frozenset()
        self._base_url = base_url
        self._patience = patience
        self._hides = hides
        self._table: dict[str, Resource] = hub_resources(self._base_url)
        self._sessions: set[Session] = set()
        self._callbacks: list[Callable[[int], None]] = []
        self._waiters: set[_Waiter] = set()
        self._server: grpc.aio.Server | None = None

    @property
    def edges(self) -> frozenset[str]:
        """The names of the edges that are connected."""
        return frozenset(session.edge for session in self._sessions)

    @property
    def ended(self) -> frozenset[Visitor]:
        """Whose streams were to end, last."""
        return self._ended

    async def start(self, table: Mapping[str, Scope]) -> None:
        """Begin with the whole table; edges that already hold it are sent only differences."""
        self._change(table)
        check_socket_path(self._socket)
        private_directory(self._socket.parent)
        self._socket.unlink(missing_ok=True)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((_handler(self._stream),))
        try:
            server.add_insecure_port(f"unix:{self._socket}")
        except RuntimeError as error:
            raise Unavailable(
                f"The socket for the edge, {self._socket}, cannot be opened: {error}."
            ) from error
        self._socket.chmod(0o600)
        await server.start()
        self._server = server

    async def publish(self, changes: Mapping[str, Scope]) -> bool:
        """Make these scopes so (an empty scope is withdrawn).

        Returns True once every connected edge has acknowledged, False when that took too long,
        one refused, or none is connected.
        """
        self._change(changes)
        waiter = _Waiter(frozenset(changes))
        self._waiters.add(waiter)
        self._settle()
        try:
            async with asyncio.timeout(self._patience):
                return await waiter.done
        except TimeoutError:
            log.warning(
                "edge_slow", scopes=len(changes), edges=sorted(self._late(waiter)) or "none is connected"
            )
            return False
        finally:
            self._waiters.discard(waiter)

    def note(self, changes: Mapping[str, Scope]) -> None:
        """Make these scopes so for edges that come later, while none is connected."""
        self._change(changes)

    def on_edges(self, callback: Callable[[int], None]) -> None:
        """Call `callback` with how many edges are connected, whenever that changes."""
        self._callbacks.append(callback)

    def end_streams(self, visitors: Iterable[Visitor]) -> None:
        """End what these, and nobody else, have open (websockets, events) within moments."""
        self._ended = frozenset(visitors)
        write_ended(self._ended_file, self._ended)

    async def close(self) -> None:
        """End the streams; the edges keep their routes."""
        if self._server is not None:
            await self._server.stop(grace=0)
            self._server = None
        for waiter in self._waiters:
            waiter.settle(False)
        self._socket.unlink(missing_ok=True)

    def _change(self, changes: Mapping[str, Scope]) -> None:
        different = []
        for name, scope in changes.items():
            new = resource(name, scope, self._base_url, hides=self._hides) if scope else None
            if new == self._table.get(name):
                continue
            different.append(name)
            if new is None:
                del self._table[name]
            else:
                self._table[name] = new
        for session in self._sessions:
            session.touch(different)

    def _settle(self) -> None:
        for waiter in self._waiters:
            verdicts = [self._took(session, waiter.names) for session in self._sessions]
            if verdicts and None not in verdicts:
                waiter.settle(all(verdicts))

    def _took(self, session: Session, names: Iterable[str]) -> bool | None:
        verdicts = [session.took(name, self._table) for name in names]
        return None if None in verdicts else all(verdicts)

    def _late(self, waiter: _Waiter) -> set[str]:
        return {session.edge for session in self._sessions if self._took(session, waiter.names) is None}

    async def _stream(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        try:
            hello = Request.parse(await anext(requests))
        except (Malformed, StopAsyncIteration):
            return
        session = Session(hello.node, hello.initial_versions, self._table)
        self._sessions.add(session)
        self._count()
        log.info("edge_connected", edge=shown(session.edge), held=len(hello.initial_versions))
        self._settle()
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(session, context))
                await self._read(session, requests)
                writer.cancel()
        finally:
            self._sessions.discard(session)
            self._count()
            log.info("edge_gone", edge=shown(session.edge))
            self._settle()

    def _count(self) -> None:
        for callback in self._callbacks:
            callback(len(self._sessions))

    async def _read(self, session: Session, requests: AsyncIterator[bytes]) -> None:
        try:
            async for message in requests:
                request = Request.parse(message)
                refusal = session.answer(request.nonce, request.error)
                if refusal is not None:
                    log.error(
                        "edge_refused",
                        edge=shown(session.edge),
                        scope=shown(refusal.scope),
                        reason=shown(refusal.reason, 500),
                    )
                self._settle()
        except Malformed as error:
            log.warning("edge_unintelligible", edge=shown(session.edge), error=str(error))

    async def _write(self, session: Session, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        while True:
            await session.wake.wait()
            session.wake.clear()
            message = session.next(self._table)
            # A scope that went back to what the edge holds settles without a word.
            self._settle()
            if message is not None:
                await context.write(message)


def _handler(stream: Any) -> grpc.GenericRpcHandler:
    method = grpc.stream_stream_rpc_method_handler(stream)  # type: ignore[no-untyped-call]
    methods = {"DeltaScopedRoutes": method}
    handler: grpc.GenericRpcHandler = grpc.method_handlers_generic_handler(SERVICE, methods)  # type: ignore[no-untyped-call]
    return handler
