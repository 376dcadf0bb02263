"""Read the log, and let go of what is older than it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from msgspec import Struct

from apphub.audit import store
from apphub.audit.model import By, Entry, Search
from apphub.db import Database
from apphub.kit import clock

#: Entries that are read, or forgotten, at once.
BATCH = 1000


class Audit(Struct, frozen=True):
    """The log of who did what to whom; `keep` is how long, None for ever."""

    db: Database
    keep: timedelta | None = None

    async def find(self, search: Search, *, before: int | None = None, limit: int) -> list[Entry]:
        """Entries that match, the newest first, from the one before the id `before` on."""
        async with self.db.read() as tx:
            return await store.list_entries(tx, search, before=before, limit=limit)

    async def all(self, search: Search) -> AsyncIterator[list[Entry]]:
        """Every entry that matches, the newest first, some at a time: nothing holds all of them."""
        before = None
        while entries := await self.find(search, before=before, limit=BATCH):
            yield entries
            before = entries[-1].id

    async def visits(self, server: str, *, since: datetime, limit: int = 50) -> list[Entry]:
        """Who opened a server (`ada/lab`), the last first; `since` it was made, for names come again."""
        search = Search(target=f"server:{server}", action="server.open", since=since)
        return await self.find(search, limit=limit)

    async def deeds(self, server: str, *, since: datetime, limit: int = 50) -> list[Entry]:
        """What was done to a server (`ada/lab`) but opening it, the last first; `since` it was made."""
        search = Search(target=f"server:{server}", action="server", without="server.open", since=since)
        return await self.find(search, limit=limit)

    async def note(self, by: By, action: str, target: str) -> None:
        """Note what changes nothing in the database."""
        async with self.db.write() as tx:
            store.insert_entry(tx, by, action, target)

    async def forget_old(self) -> None:
        """Forget what is older than the log is kept, in small steps so that nobody waits for it."""
        if self.keep is None:
            return
        oldest = clock.now() - self.keep
        while True:
            async with self.db.write() as tx:
                gone = await store.delete_older(tx, oldest, BATCH)
            if gone < BATCH:
                return
            await asyncio.sleep(0.1)
