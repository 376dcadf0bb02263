"""Keep the services running that the settings give the hub to run, and their routes in place.

A few programs, so there are no rows for this: what is declared is wanted, and what runs is
seen. A changed declaration is another object (its name is a fingerprint); one that ends is
started again, more slowly each time it ends at once. They outlive a restart of the hub. Of
several hubs of a machine one keeps them, and another one when that is gone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from apphub.access.actor import EVERYTHING
from apphub.db import Database
from apphub.errors import HubError
from apphub.kit.addresses import Address
from apphub.kit.files import locked
from apphub.kit.urls import segment
from apphub.people import services as store
from apphub.proxy.base import ANYWHERE, Route
from apphub.runtimes.base import LaunchSpec, Life, Ref, Runtime
from apphub.services.launch import service_address

log = structlog.get_logger(__name__)

#: A service that ran this long (seconds) ended of something new: it is started again at once.
LONG_LIFE = 30.0
LONGEST_PAUSE = 60.0
#: Seconds between two tries to be the hub that keeps them.
TRY = 1.0


async def service_routes(db: Database, *, doors: bool = False) -> list[Route]:
    """Routes of all services that listen somewhere; names are resolved now.

    `doors`: what listens on loopback does so on each machine with hubs, and is reached by any of their doors.
    """
    async with db.read() as tx:
        services = await store.list_services(tx, EVERYTHING)
    routes = []
    for service in services:
        if service.url:
            host, port = service_address(service.url)
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port)
            except OSError:
                log.warning("service.unresolved", service=service.name, host=host)
                continue
            address = Address(str(found[0][4][0]), port)
            local = doors and ipaddress.ip_address(address.ip).is_loopback
            place = ANYWHERE if local else ""
            routes.append(Route(f"/services/{segment(service.name)}/", address, place=place))
    return routes


class ServiceKeeper(Struct, frozen=True):
    """Runs the declared services."""

    runtime: Runtime
    specs: Sequence[LaunchSpec]
    grace: float
    #: Whoever has locked this file keeps them: one of the hubs of a machine.
    lock: Path

    async def run(self) -> None:
        """Keep them running until cancelled, once no other hub of this machine does."""
        fd = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not locked(fd):  # noqa: ASYNC110
                await asyncio.sleep(TRY)
            await self._keep_all()
        finally:
            os.close(fd)

    async def _keep_all(self) -> None:
        """Keep them running; what is no longer declared is ended first."""
        wanted = {spec.ref for spec in self.specs}
        for ref in await self.runtime.list():
            if ref not in wanted:
                await self._end(ref)
        if not self.specs:
            await self.runtime.close()  # nothing will run: no helper waits for it
        ended: dict[Ref, asyncio.Event] = {spec.ref: asyncio.Event() for spec in self.specs}
        self.runtime.on_exit(lambda ref: ended[ref].set() if ref in ended else None)
        async with asyncio.TaskGroup() as group:
            for spec in self.specs:
                group.create_task(self._keep(spec, ended[spec.ref]))
            await asyncio.Event().wait()

    async def _keep(self, spec: LaunchSpec, ended: asyncio.Event) -> None:
        failures = 0
        while True:
            ended.clear()
            began = time.monotonic()
            try:
                await self._live(spec, ended)
                await self._end(spec.ref)
            except HubError as error:
                log.error("service.not_started", service=_name(spec), error=str(error))
            failures = 0 if time.monotonic() - began > LONG_LIFE else failures + 1
            await asyncio.sleep(min(LONGEST_PAUSE, 0.5 * 2**failures) if failures else 0)

    async def _live(self, spec: LaunchSpec, ended: asyncio.Event) -> None:
        """Start it unless it runs, and wait for its end, which is told with its last words."""
        if (await self.runtime.create(spec)).life is Life.RUNNING:
            await ended.wait()
        sight = await self.runtime.observe(spec.ref)
        output = (await self.runtime.logs(spec.ref, tail=1000)).strip()
        log.warning("service.ended", service=_name(spec), detail=sight.detail, output=output)

    async def _end(self, ref: Ref) -> None:
        while (await self.runtime.delete(ref, grace=self.grace)).life is Life.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


def _name(spec: LaunchSpec) -> str:
    return spec.env["JUPYTERHUB_SERVICE_NAME"]
