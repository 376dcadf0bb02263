"""Hubs and edges on several machines: the door of this one, and how an edge without hubs finds theirs."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from apphub.errors import Invalid, Unavailable
from apphub.kit import clock
from apphub.kit.addresses import Address
from apphub.kit.files import locked, write_private
from apphub.kit.secrets import Keys
from apphub.kit.trust import EDGE, HUB, EdgeKey, Papers, hubs
from apphub.passes.tokens import Signer
from apphub.proxy.envoy.bootstrap import Far
from apphub.proxy.envoy.door import Door
from apphub.proxy.envoy.meeting import Meeting
from apphub.proxy.envoy.process import EnvoyProcess
from apphub.proxy.envoy.scout import resolved
from apphub.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds between two tries to be the hub that keeps the door of its machine.
TRY = 0.5


def announced(settings: Settings) -> str:
    """Where edges of other machines reach this one: HOST:PORT; empty: they do not. Raises `HubError` in words.

    A name that the settings give stays one: it may lead elsewhere from there.
    """
    bind = settings.cluster.bind
    if bind is None:
        return ""
    if settings.database is None or settings.database.startswith("sqlite"):
        raise Invalid(
            "Hubs that take edges of other machines (`cluster.bind`) need PostgreSQL.",
            "Set `database`, or leave `cluster.bind` out.",
        )
    if settings.cluster.address is not None:
        return settings.cluster.address
    if not ipaddress.ip_address(bind.ip).is_unspecified:
        return str(bind)
    text = f"{socket.gethostname()}:{bind.port}"
    try:
        found = resolved(text)
    except OSError as error:
        raise _nowhere(text, str(error.strerror)) from error
    # A name of one's own is often written down as a loopback address, which is nobody else's.
    real = [one for one in found if not ipaddress.ip_address(one.ip).is_loopback]
    if not real:
        raise _nowhere(text, "that is this machine alone")
    return str(real[0])


def _nowhere(text: str, why: str) -> Unavailable:
    return Unavailable(
        f"Other machines cannot be told {text} as the address of this one: {why}.",
        "Set `cluster.address` to the address at which they reach it.",
    )


def edge_key_file(settings: Settings) -> Path:
    """Where the edge key is."""
    return settings.cluster.edge_key or settings.data_dir / "edge.key"


def hand_out_edge_key(settings: Settings, keys: Keys) -> EdgeKey:
    """Have the file say what edges prove themselves with."""
    key = EdgeKey.of(keys, Signer(keys).key_set_json())
    file, text = edge_key_file(settings), key.text()
    try:
        if not file.exists() or file.read_text() != text:
            write_private(file, text.encode())
    except OSError as error:
        raise Unavailable(
            f"The edge key {file} cannot be written: {error.strerror}.", "Set `cluster.edge_key`."
        ) from error
    return key


def read_edge_key(settings: Settings) -> EdgeKey:
    """The edge key that a hub has written. Raises `Invalid` in words."""
    file = edge_key_file(settings)
    advice = "Copy the file from a machine with hubs, or set `cluster.edge_key`; nobody else may read it."
    try:
        return EdgeKey.parse(file.read_text())
    except OSError as error:
        raise Invalid(f"The edge key {file} cannot be read: {error.strerror}.", advice) from error
    except ValueError as error:
        raise Invalid(f"The file {file} is no edge key: {error}.", advice) from error


def is_far(settings: Settings) -> bool:
    """Whether edges reach hubs and servers by doors."""
    return bool(settings.cluster.hubs) or settings.cluster.bind is not None


def far_of(settings: Settings, key: EdgeKey) -> Far:
    """How an edge reaches the doors."""
    seeds = settings.cluster.hubs or (announced(settings),)
    authority = key.edges
    return Far(seeds, key.hubs, lambda: authority.issue(EDGE, clock.now()))


def door_of(settings: Settings, place: str, meeting: Meeting, key: EdgeKey) -> Door:
    """The door of this machine."""
    assert settings.cluster.bind is not None
    return Door(
        run_dir=meeting.folder / "door",
        bind=(settings.cluster.bind,),
        place=place,
        base_url=settings.base_url,
        ports=settings.processes.ports,
        services=tuple(_local_services(settings)),
        trusted=key.edges.certificate,
        meeting=meeting,
    )


def _local_services(settings: Settings) -> list[Address]:
    found = []
    for service in settings.services:
        parts = urlsplit(service.url or "")
        host = {"localhost": "127.0.0.1"}.get(parts.hostname or "", parts.hostname or "")
        if host in ("127.0.0.1", "::1"):
            found.append(Address(host, parts.port or 80))
    return found


@asynccontextmanager
async def door_open(settings: Settings, place: str, meeting: Meeting, keys: Keys) -> AsyncGenerator[None]:
    """Keep the door of this machine, unless another hub does: then, once that has gone.

    It stays open when the hubs end, for the servers that go on.
    """
    if settings.cluster.bind is None:
        yield
        return
    authority = hubs(keys)

    def papers() -> Papers:
        return authority.issue(HUB, clock.now())

    key = hand_out_edge_key(settings, keys)
    envoy = EnvoyProcess(door_of(settings, place, meeting, key), papers=papers)
    fd = os.open(settings.data_dir / "door.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        mine = locked(fd)
        if mine:
            await envoy.ensure()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_keep(envoy, fd, mine=mine))
            try:
                yield
            finally:
                task.cancel()
    finally:
        await envoy.close()
        os.close(fd)


async def _keep(envoy: EnvoyProcess, fd: int, *, mine: bool) -> None:
    if not mine:
        while not locked(fd):  # noqa: ASYNC110
            await asyncio.sleep(TRY)
        await envoy.ensure()
    await envoy.supervise()
