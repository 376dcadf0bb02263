"""Run a hub in the foreground: the hub itself, its edge, or both.

One process, one event loop: uvloop runs the hub's loops and two web servers, one on
a unix socket for the edge and one on a loopback port for users' servers. The edge (Envoy) is
a child in its own session: told to end (SIGINT, SIGTERM) the hub drains and ends it; killed
or restarted in place (SIGHUP) the hub leaves it alone, and the next hub adopts it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import structlog
import uvloop

from apphub import __version__
from apphub.app import build_app, edge_door, server_door
from apphub.cluster import announced, door_open
from apphub.db import once_there
from apphub.declared.reload import Reader
from apphub.edge import attended, launched
from apphub.errors import HubError, Unavailable
from apphub.folder import hold, meeting_of, open_folder, others
from apphub.hub import Hub, open_hub, place_of
from apphub.kit import metrics
from apphub.kit.addresses import Address
from apphub.kit.files import settle
from apphub.kit.log import set_up
from apphub.kit.precedence import session_first
from apphub.kit.urls import Urls
from apphub.proxy.envoy.control import ControlPlane
from apphub.proxy.envoy.meeting import NOTICED, Meeting
from apphub.settings import Settings, app_hosts
from apphub.web.server import BACKLOG, serving

log = structlog.get_logger(__name__)

Part = Literal["all", "hub", "proxy"]

#: Requests under way may take this long (seconds) to finish when the hub is told to end.
DRAIN = 5
#: Connections on which nothing comes are kept this long (seconds): longer than the edge's `HUB_IDLE`.
PATIENCE = 30


def run(settings: Settings, part: Part, reader: Reader | None = None, file: Path | None = None) -> int:
    """Serve until told to stop; the exit status. Raises `HubError` in words for what makes that impossible.

    `reader` reads the settings again, for their profiles, when `file` has changed.
    """
    set_up(settings.log_level, settings.log_format)
    os.umask(0o077)  # whatever we make is ours alone: sockets, database, logs
    if part != "proxy":
        session_first(os.getpid())
    folder = open_folder(settings.data_dir)
    settings = settings.model_copy(update={"data_dir": folder})
    with ExitStack() as stack:
        places = _places(stack, settings, part)
        again = uvloop.run(_serve(settings, part, places, reader, file))
    if again:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - it is ourselves
    return 0


class Places(NamedTuple):
    """The numbers that this process holds in the data folder, and where hubs and edges meet."""

    hub: int
    edge: int
    meeting: Meeting


def _places(stack: ExitStack, settings: Settings, part: Part) -> Places:
    folder = settings.data_dir
    alone = settings.database is None or settings.database.startswith("sqlite")
    hub = edge = 0
    if part != "proxy":
        hub = stack.enter_context(hold(folder, "hub", alone=alone))
    if part != "hub":
        # An edge is known by its addresses: whoever starts it again finds what the last one left running.
        edge = stack.enter_context(hold(folder, "edge", mark=" ".join(map(str, settings.bind))))
    return Places(hub, edge, meeting_of(folder))


async def _serve(
    settings: Settings, part: Part, places: Places, reader: Reader | None, file: Path | None
) -> bool:
    """Whether to start again in place."""
    gc.disable()  # what a start makes stays: to look through it again and again is a tenth of putting the application together
    stop, again = asyncio.Event(), asyncio.Event()
    _heed_signals(stop, again)
    try:
        async with AsyncExitStack() as stack:
            # An edge comes up while the doors are made, once the hub has a table for it, and ends before they close.
            if part != "proxy":
                opened = await stack.enter_async_context(_hub(settings, places, stop, reader, file))
            if part != "hub":
                edge = await stack.enter_async_context(launched(settings, places.meeting, places.edge))
            if part != "proxy":
                await stack.enter_async_context(_doors(settings, places, opened))
            if part != "hub":
                await stack.enter_async_context(attended(edge, again, DRAIN))
            if part != "proxy":
                _greet(opened.hub)
            _keep_what_is_there()
            await stop.wait()
    except* HubError as group:
        raise _first(group) from None
    return again.is_set()


def _keep_what_is_there() -> None:
    """Never look through it for garbage again: that would stop everybody else."""
    gc.collect()
    gc.freeze()
    gc.enable()


def _first(group: BaseExceptionGroup[HubError]) -> HubError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, HubError)
    return found


class Opened(NamedTuple):
    """A hub whose control plane listens, and whose doors do not yet."""

    hub: Hub
    #: Where servers will find it.
    address: Address
    #: When it began, of `time.perf_counter`.
    begun: float


@asynccontextmanager
async def _hub(
    settings: Settings, places: Places, stop: asyncio.Event, reader: Reader | None, file: Path | None
) -> AsyncGenerator[Opened]:
    begun = time.perf_counter()
    meeting, number = places.meeting, places.hub
    address = _api_address(settings, shared=others(settings.data_dir, "hub", number))
    hides = bool(Urls(settings.base_url, "", settings.public_url, settings.apps).cookie_prefix)
    plane = ControlPlane(meeting.control(number), settings.base_url, ended=meeting.ended, hides=hides)
    door = announced(settings)

    def begin() -> AbstractAsyncContextManager[Hub]:
        return open_hub(settings, f"http://{address}", plane, stop, reader, file, door)

    async with once_there(begin, stop) as hub:
        yield Opened(hub, address, begun)


@asynccontextmanager
async def _doors(settings: Settings, places: Places, opened: Opened) -> AsyncGenerator[None]:
    hub, meeting, number = opened.hub, places.meeting, places.hub
    app = build_app(hub)
    doors = (
        (edge_door(app, hub), _listen_for_edges(meeting.hub(number))),
        (server_door(app, hub), _listen_for_servers(opened.address)),
    )
    async with (
        serving(doors, patience=PATIENCE, drain=DRAIN),
        door_open(settings, place_of(settings, alone=False), meeting, hub.keys),
    ):
        metrics.STARTUP.observe(time.perf_counter() - opened.begun)
        try:
            yield
        finally:
            await _take_leave(meeting, number, hub)


async def _take_leave(meeting: Meeting, number: int, hub: Hub) -> None:
    """Send the edges to the other hubs, if there are any, before this one stops answering."""
    meeting.hub(number).unlink(missing_ok=True)
    if meeting.listening() or len(hub.replicas.live) > 1:
        await asyncio.sleep(NOTICED)


def _listen_for_edges(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a hub that crashed
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(BACKLOG)
    return listener


def _listen_for_servers(address: Address) -> socket.socket:
    """Shared with other hubs of the folder: see `_api_address`."""
    listener = socket.socket(_family(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(tuple(address))
    listener.listen(BACKLOG)
    return listener


def _heed_signals(stop: asyncio.Event, again: asyncio.Event) -> None:
    def end() -> None:
        if stop.is_set():
            os._exit(1)  # asked twice
        stop.set()

    def restart() -> None:
        again.set()
        stop.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGHUP, restart)


def _api_address(settings: Settings, *, shared: bool) -> Address:
    """Where servers reach the hubs: as set, or a free port that is kept, for running servers remember it.

    `shared`: other hubs of this folder listen there already; then all of them do (SO_REUSEPORT).
    """
    if settings.hub_bind is not None:
        _check_bindable(settings.hub_bind, shared=shared)
        return settings.hub_bind
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    address = Address("127.0.0.1", int(settle(settings.data_dir / "hub_port", free)))
    _check_bindable(address, shared=shared)
    return address


def _check_bindable(address: Address, *, shared: bool) -> None:
    with socket.socket(_family(address)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(tuple(address))
        except OSError as error:
            raise Unavailable(
                f"The address {address} for servers cannot be used: {error.strerror}.",
                "Choose another one with `hub_bind` in the settings.",
            ) from error


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.ip else socket.AF_INET


def _greet(hub: Hub) -> None:
    """Say where the hub is and how to sign in, on standard output."""
    settings = hub.settings
    scheme = "https" if settings.tls is not None else "http"
    lines = [f"apphub {__version__} serves"]
    addresses = (
        [settings.public_url] if settings.public_url else [f"{scheme}://{bind}" for bind in settings.bind]
    )
    lines += [f"    {address}{settings.base_url}" for address in addresses]
    if settings.apps is not None:
        lines.append(f"Apps have hosts of their own: {settings.apps.all_origins}")
        lines += [f"    (warning: {words})" for _, words in app_hosts.doubts(settings)]
    for name, password in hub.new_passwords.items():
        lines.append(f"Sign in as {name} with the password {password}")
        lines.append("    (shown this once; change it with `apphub password`)")
    if settings.login.shared_password is not None:
        lines.append("Everybody signs in with the one shared password of the settings: for trials only.")
    if settings.runtime == "none":
        lines.append("Nothing is started for servers: the hub itself can be measured, and nothing used.")
    elif settings.processes.run_as == "same":
        lines.append(
            "All servers run as the hub's own account: a trial, users are not protected from each other."
        )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
