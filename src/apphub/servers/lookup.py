"""Rows of servers for those who follow one: all who look at the same moment share one statement."""

from __future__ import annotations

from collections.abc import Sequence

from apphub.db import Database
from apphub.db.together import Together
from apphub.servers import store
from apphub.servers.model import Server


class Lookup:
    """Finds servers by their ids."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._together = Together(db, self._find)

    async def find(self, server_id: int) -> Server | None:
        """The server as it is now, also of somebody who is being deleted."""
        return await self._together(server_id)

    async def _find(self, ids: Sequence[int]) -> Sequence[Server | None]:
        async with self._db.read() as tx:
            if len(ids) == 1:
                return [await store.find_server_by_id(tx, ids[0])]
            found = {server.id: server for server in await store.list_servers(tx, set(ids))}
        return [found.get(server_id) for server_id in ids]
