"""Rows of servers and people: when they were last active."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.forward import forward, is_later

c = t.servers.c
u = t.users.c


_SERVER = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"), is_later(c.last_activity))
    .values(last_activity=sa.bindparam("seen"))
)
_PERSON = (
    sa.update(t.users)
    .where(u.id == sa.bindparam("person"), is_later(u.last_activity))
    .values(last_activity=sa.bindparam("seen"))
)
_SERVERS = forward(c.last_activity)
_WHO = (
    sa.select(u.name, u.id, c.name, c.id)
    .join(t.servers, sa.and_(c.user_id == u.id, among(c.name, "servers")), isouter=True)
    .where(among(u.name, "people"), u.deleted.is_(None))
)


async def find_ids(
    tx: Tx, people: Collection[str], servers: Collection[str]
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Ids of those of these people who exist, and of those of their servers that have one of these names."""
    persons: dict[str, int] = {}
    found: dict[tuple[str, str], int] = {}
    for person, person_id, server, server_id in await tx.execute(
        _WHO, {"people": people, "servers": servers}
    ):
        persons[person] = person_id
        if server_id is not None:
            found[person, server] = server_id
    return persons, found


async def note_servers(tx: Tx, seen: Mapping[int, datetime]) -> None:
    """When each of these servers was active, by its id."""
    if seen:
        await tx.execute(_SERVER, [{"server": key, "seen": seen[key]} for key in sorted(seen)])


async def note_people(tx: Tx, seen: Mapping[int, datetime]) -> None:
    """When each of these people was active, by their id."""
    if seen:
        await tx.execute(_PERSON, [{"person": key, "seen": seen[key]} for key in sorted(seen)])


async def note_used(tx: Tx, server_ids: Sequence[int], seen: datetime) -> None:
    """That all of these servers were active then."""
    await tx.execute(_SERVERS, {"ids": server_ids, "seen": seen})
