"""The edge that the settings ask for, from its launch to its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from apphub.cluster import far_of, is_far, read_edge_key
from apphub.kit.secrets import Keys
from apphub.passes.tokens import Signer
from apphub.proxy.envoy.bootstrap import Edge, TlsFiles
from apphub.proxy.envoy.meeting import Meeting
from apphub.proxy.envoy.process import EnvoyProcess
from apphub.proxy.envoy.replies import OwnHosts
from apphub.settings import Settings


@asynccontextmanager
async def launched(settings: Settings, meeting: Meeting, number: int) -> AsyncGenerator[EnvoyProcess]:
    """One on its way up; if nobody attends to it, it is ended again, or left as it was found."""
    envoy = EnvoyProcess(edge_of(settings, meeting, number))
    try:
        await envoy.begin()
        yield envoy
    finally:
        await envoy.forsake()


@asynccontextmanager
async def attended(envoy: EnvoyProcess, again: asyncio.Event, grace: float) -> AsyncGenerator[None]:
    """Wait until it listens and keep it running; then end it, unless the hub starts `again` in place.

    Requests under way may take `grace` seconds.
    """
    await envoy.ready()
    async with asyncio.TaskGroup() as group:
        supervisor = group.create_task(envoy.supervise())
        try:
            yield
        finally:
            supervisor.cancel()
            if again.is_set():
                await envoy.close()
            else:
                await envoy.drain_and_stop(grace)


def edge_of(settings: Settings, meeting: Meeting, number: int) -> Edge:
    """The edge that the settings ask for."""
    tls, apps = settings.tls, settings.apps
    key = read_edge_key(settings) if is_far(settings) else None
    name = f"edge-{number}"
    return Edge(
        run_dir=meeting.folder / f"edge-{number}",
        bind=settings.bind,
        base_url=settings.base_url,
        tls=TlsFiles(tls.certificate.resolve(), tls.key.resolve()) if tls is not None else None,
        trusted_proxies=settings.trusted_proxies,
        meeting=meeting,
        name=name if key is None else f"{name}@{socket.gethostname()}",
        keys=Signer(Keys.load(settings.secret_key_file)).key_set_json() if key is None else key.passes,
        far=far_of(settings, key) if key is not None else None,
        own=OwnHosts(apps, f"{settings.public_url}{settings.base_url}hub/") if apps is not None else None,
    )
