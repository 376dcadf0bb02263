"""Read how the hub is."""

from __future__ import annotations

import time

from msgspec import Struct

from apphub.db import Database
from apphub.kit import clock
from apphub.replicas import Replicas
from apphub.replicas.store import Replica, list_replicas
from apphub.status import store
from apphub.status.model import Load


class Status(Struct, frozen=True):
    """The state of the hub, as it is now."""

    db: Database
    replicas: Replicas
    place: str

    async def hubs(self, edges: int) -> list[Replica]:
        """The hubs that run on this database; `edges` are connected to this one."""
        mine = Replica(self.replicas.id, self.place, "", edges, clock.now())
        if not self.replicas.several:
            return [mine]
        async with self.db.read() as tx:
            found = [one for one in await list_replicas(tx) if one.seen >= self.replicas.since()]
        return [mine, *(one for one in found if one.id != mine.id)]

    async def load(self) -> Load:
        """How busy the hub is."""
        async with self.db.read() as tx:
            return await store.load(tx)

    async def database(self) -> tuple[str, float]:
        """Which database answers, and how long (milliseconds) one question takes."""
        begun = time.perf_counter()
        async with self.db.read() as tx:
            name = await store.dialect(tx)
        return name, (time.perf_counter() - begun) * 1000
