"""When servers were last used, as the edge saw it: for apps that report nothing themselves.

The edge says at most once a minute that an app is used. What it said is gathered for some
seconds and written together; times only ever go forward.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct, field

from apphub.db import Database, DatabaseAway
from apphub.kit import clock
from apphub.servers.seen import note_used

#: Between two writes (seconds).
TOGETHER = 2.0


class Usage(Struct, frozen=True):
    """The loop that writes it."""

    db: Database
    _used: set[int] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, server_id: int) -> None:
        """Somebody uses this server now."""
        self._used.add(server_id)
        self._news.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.write()
            await asyncio.sleep(TOGETHER)

    async def write(self) -> None:
        """Write what was noted until now."""
        used = sorted(self._used)
        self._used.clear()
        try:
            async with self.db.write() as tx:
                await note_used(tx, used, clock.now())
        except DatabaseAway:
            self._used.update(used)
            self._news.set()
            raise
