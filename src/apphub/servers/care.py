"""What owners do with a server beside starting and stopping it: name it, delete it, look back.

Deleting only marks the row. It is stopped at once and forgotten when the time is over
(`reconcile/removals.py`); until then it can be brought back.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from apphub.audit import By, insert_entry
from apphub.db import Database
from apphub.db.changes import DUE, REMOVALS, server_topic
from apphub.errors import Invalid
from apphub.kit import clock
from apphub.servers import store
from apphub.servers.model import NoSuchServer, Progress, Server, ServerKey, Wanted, parse_display_name


class Care(Struct, frozen=True):
    """Servers as their owners look after them."""

    db: Database

    async def rename(self, by: By, key: ServerKey, display_name: str) -> None:
        """Call a server something else on pages; its address stays. Raises `NoSuchServer` and `Invalid`."""
        words = " ".join(display_name.split())
        name = parse_display_name(words) if words else ""
        async with self.db.write() as tx:
            server = await store.find_server(tx, key)
            if server is None:
                raise NoSuchServer(key)
            await store.update_server(tx, server.id, display_name=name)
            insert_entry(
                tx,
                by,
                "server.change",
                server.label,
                before={"display_name": server.display_name},
                after={"display_name": name},
            )

    async def delete(self, by: By, key: ServerKey, undo: timedelta) -> None:
        """Stop a named server, and forget it after `undo`. Raises `NoSuchServer` and `Invalid`."""
        now = clock.now()
        if not key.name:
            raise Invalid("Cannot delete the default server")
        async with self.db.write() as tx:
            server = await store.find_server(tx, key)
            if server is None:
                raise NoSuchServer(key)
            await store.update_server(tx, server.id, removal=now + undo)
            if server.active:
                await store.update_wanted(tx, server.id, Wanted.STOPPED, now)
            insert_entry(tx, by, "server.delete", server.label)
            tx.changed(DUE, REMOVALS, server_topic(server.id))

    async def keep(self, by: By, key: ServerKey) -> None:
        """Take a deletion back; raises `NoSuchServer` when it is too late."""
        async with self.db.write() as tx:
            server = await store.find_server(tx, key)
            if server is None or server.wanted is Wanted.REMOVED:
                raise NoSuchServer(key)
            if server.removal is not None:
                await store.update_server(tx, server.id, removal=None)
                insert_entry(tx, by, "server.undelete", server.label)
                tx.changed(server_topic(server.id))

    async def story(self, server: Server) -> list[Progress]:
        """What happened during the last attempts, oldest first."""
        async with self.db.read() as tx:
            return await store.list_all_events(tx, server.id)
