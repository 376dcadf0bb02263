"""Servers that were deleted on a page are forgotten a little later, unless that is taken back.

The moment is in the row, so it is kept whatever happens to the hub meanwhile, and any replica
may be the one that acts on it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from msgspec import Struct

from apphub.audit import HUB, insert_entry
from apphub.db import Database
from apphub.db.changes import DUE, REMOVALS, heard, server_topic
from apphub.kit import clock
from apphub.reconcile import store
from apphub.servers.model import ServerKey

log = structlog.get_logger(__name__)

#: It looks at least this often, for news of other replicas may be lost.
IDLE = timedelta(seconds=30)


class Removals(Struct, frozen=True):
    """The loop."""

    db: Database

    async def run(self) -> None:
        """Look until cancelled."""
        with self.db.changes.listen(REMOVALS) as news:
            while True:
                news.clear()
                await self.look()
                await self._rest(news)

    async def look(self) -> None:
        """Want those forgotten whose time has come."""
        now = clock.now()
        async with self.db.read() as tx:
            first = await store.find_next_removal(tx)
        if first is None or first > now:
            return
        async with self.db.write() as tx:
            for server_id, user, name in await store.remove_overdue(tx, now):
                key = ServerKey(user, name)
                insert_entry(tx, HUB, "server.remove", f"server:{key}")
                tx.changed(DUE, server_topic(server_id))
                log.info("server.forgotten", server=str(key))

    async def _rest(self, news: asyncio.Event) -> None:
        async with self.db.read() as tx:
            first = await store.find_next_removal(tx)
        pause = IDLE if first is None else min(IDLE, first - clock.now())
        await heard(news, max(pause.total_seconds(), 0.01))
