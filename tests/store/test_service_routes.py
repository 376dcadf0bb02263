"""Routes of services: told in the order in which they were found, and told before anybody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from apphub.db import Database
from apphub.people.services import NewService
from apphub.proxy.base import Scope
from apphub.reconcile.routes import Publisher
from apphub.services import Services
from fakes.people import BY, Town
from fakes.planes import MemoryPlane

SCOPE = "services/wiki"


class SlowPlane(MemoryPlane):
    """An edge that takes its time once it has been told something."""

    async def publish(self, changes: Mapping[str, Scope]) -> bool:
        if changes:
            await asyncio.sleep(0.2)
        return await super().publish(changes)


async def test_whoever_deletes_a_service_waits_for_the_edges_whoever_tells_them(
    db: Database, town: Town
) -> None:
    plane, services = SlowPlane(), Services(db)
    publisher = Publisher(db, plane, timedelta(0))
    await publisher.start()
    wiki = NewService(name="wiki", url="http://127.0.0.1:20000")
    await services.create(await town.actor(), BY, wiki)
    await publisher.services_changed()
    assert plane.table[SCOPE]

    await services.delete(BY, "wiki")
    heard = asyncio.create_task(publisher.services_changed())  # as the loop does that hears of it
    await asyncio.sleep(0.1)
    assert SCOPE in plane.table, "the edge was not slow"
    await publisher.services_changed()
    assert SCOPE not in plane.table
    await heard
