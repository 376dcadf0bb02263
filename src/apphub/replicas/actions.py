"""A replica among others: it says that it is there, and sees who no longer is.

Rows are the truth of who is there, written every few seconds. A replica that has not been
seen for a while counts no more where others wait for it, and is forgotten after a minute; one of
the same machine whose process has ended is forgotten at once, and the servers it held are free.
Where the database is one hub's alone nothing of this is needed, and nothing is written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from apphub.db import Database
from apphub.db.changes import DUE, REPLICAS, heard
from apphub.db.lock import JOBS, take_turns
from apphub.errors import Conflict
from apphub.kit import clock
from apphub.kit.processes import lives, this_process
from apphub.kit.secrets import new_token
from apphub.replicas import store
from apphub.replicas.store import Replica

log = structlog.get_logger(__name__)

#: Between two signs of life, give or take a quarter.
EVERY = timedelta(seconds=2)
#: One that was not seen for so long is not waited for.
AWAY = timedelta(seconds=8)
#: One that was not seen for so long is gone.
FORGOTTEN = timedelta(minutes=1)


class AnotherKey(Conflict):
    """The hubs of other machines have another secret key."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The hubs of the machine {place} use this database with another secret key.",
            "Copy their `secret.key`, or have `cluster.secret_key` name the same file: keys of tokens and passes "
            "come from it.",
        )


class Replicas:
    """This replica, at a place (a machine); and those beside it."""

    def __init__(self, db: Database, place: str, door: str = "", key: str = "") -> None:
        """With a `door` (HOST:PORT) edges of other machines reach this one; `key` tells its secret key from others."""
        #: Of this run of this hub; begins the leases of what it holds.
        self.id = new_token()[:16]
        #: Whether there may be others.
        self.several = not db.exclusive
        #: Set whenever one of the same place has gone.
        self.lost = asyncio.Event()
        self._db = db
        self._place = place
        self._door = door
        self._key = key
        #: The doors of all machines by name, and those machines that have a hub, as of a moment ago.
        self.places: Mapping[str, str] = {}
        self.live: frozenset[str] = frozenset()
        self._process = this_process()
        self._edges = 0
        self._neighbours: set[str] = set()

    def since(self) -> datetime:
        """Those seen since then count."""
        return clock.now() - AWAY

    def has_edges(self, number: int) -> None:
        """So many edges are connected to this one."""
        if number != self._edges:
            self._edges = number
            self._db.changes.tell([REPLICAS])

    async def run(self) -> None:
        """Say so, and look, until cancelled."""
        with self._db.changes.listen(REPLICAS) as news:
            while self.several:
                news.clear()
                await self.look()
                await heard(news, EVERY.total_seconds() * random.uniform(0.75, 1.25))  # noqa: S311
            await asyncio.Event().wait()

    async def join(self) -> None:
        """Be one of the machines that edges reach. Raises `AnotherKey` where the others have another secret."""
        if not self._door:
            return
        async with self._db.read() as tx:
            others = await store.list_places(tx)
        now = clock.now()
        for other in others:
            if other.key != self._key and other.name != self._place and now - other.seen < FORGOTTEN:
                raise AnotherKey(other.name)

    async def _look_at_places(self, known: Iterable[Replica], now: datetime) -> None:
        async with self._db.write() as tx:
            await store.upsert_place(tx, store.Place(self._place, self._door, self._key, now))
        async with self._db.read() as tx:
            places = await store.list_places(tx)
        if any(now - place.seen > FORGOTTEN for place in places):
            async with self._db.write() as tx:
                await store.delete_unused_places(tx, now - FORGOTTEN)
        self.places = {place.name: place.address for place in places}
        self.live = frozenset({self._place, *(one.place for one in known if now - one.seen < AWAY)})

    async def look(self) -> None:
        """Say that this one is there, and forget those that are not."""
        now = clock.now()
        async with self._db.read() as tx:
            known = {replica.id: replica for replica in await store.list_replicas(tx)}
        gone = [
            replica for replica in known.values() if replica.id != self.id and self._is_gone(replica, now)
        ]
        me = Replica(self.id, self._place, self._process, self._edges, now)
        async with self._db.write() as tx:
            await store.upsert_replica(tx, me)
            if gone:
                await store.delete_replicas(tx, [replica.id for replica in gone], now)
                tx.changed(DUE)
            if gone or self.id not in known or known[self.id].edges != self._edges:
                tx.changed(REPLICAS)
        for replica in gone:
            log.warning("replica.gone", replica=replica.id, place=replica.place)
        if self._door:
            await self._look_at_places([one for one in known.values() if one not in gone], now)
        here = {one.id for one in known.values() if one.place == self._place and one not in gone}
        if self._neighbours - here:
            self.lost.set()
        self._neighbours = here

    def _is_gone(self, replica: Replica, now: datetime) -> bool:
        here = replica.place == self._place
        return now - replica.seen > FORGOTTEN or (here and not lives(replica.process))

    async def leave(self) -> None:
        """This one ends: nobody needs to wait for it."""
        if self.several:
            async with self._db.write() as tx:
                await store.delete_replicas(tx, [self.id], clock.now())
                tx.changed(DUE, REPLICAS)

    async def turn(self, job: str, every: timedelta) -> bool:
        """Whether it is this replica's turn to do what one of them does for all once in so long."""
        if not self.several:
            return True
        now = clock.now()
        async with self._db.write() as tx:
            await take_turns(tx, JOBS)
            return await store.take_job(tx, job, now, now + every)
