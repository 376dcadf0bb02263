"""Rows of replicas, of what their edges hold, and of jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.upsert import Upsert, upsert

r = t.replicas.c
h = t.routes_held.c
p = t.places.c


class Replica(NamedTuple):
    """One row."""

    id: str
    place: str
    process: str
    edges: int
    seen: datetime


_ALL = sa.select(r.id, r.place, r.process, r.edges, r.seen)


async def list_replicas(tx: Tx) -> list[Replica]:
    """All of them."""
    return [Replica(*row) for row in await tx.execute(_ALL)]


class Place(NamedTuple):
    """A machine with a door."""

    name: str
    #: Of the door: HOST:PORT.
    address: str
    #: Digest of its hubs' secret key.
    key: str
    seen: datetime


async def list_places(tx: Tx) -> list[Place]:
    """All of them."""
    return [Place(*row) for row in await tx.execute(sa.select(p.name, p.address, p.key, p.seen))]


async def upsert_place(tx: Tx, place: Place) -> None:
    """It is there."""
    await upsert(
        tx,
        t.places,
        place._asdict(),
        key=["name"],
        change=lambda new: {"address": new.address, "key": new.key, "seen": new.seen},
    )


async def delete_unused_places(tx: Tx, unseen_since: datetime) -> None:
    """Those whose hubs are long gone, and that have no servers."""
    used = sa.exists().where(t.servers.c.place == p.name)
    await tx.execute(sa.delete(t.places).where(p.seen < unseen_since, ~used))


async def upsert_replica(tx: Tx, replica: Replica) -> None:
    """It is there."""
    await upsert(
        tx,
        t.replicas,
        replica._asdict(),
        key=["id"],
        change=lambda new: {"edges": new.edges, "seen": new.seen},
    )


async def delete_replicas(tx: Tx, ids: Collection[str], now: datetime) -> None:
    """They are gone: whatever they held is free."""
    s = t.servers.c
    await tx.execute(sa.delete(t.replicas).where(r.id.in_(ids)))
    await tx.execute(sa.delete(t.routes_held).where(h.replica_id.in_(ids)))
    for replica in ids:
        held = s.lease.startswith(f"{replica}-")
        await tx.execute(sa.update(t.servers).where(held).values(lease=None, lease_until=None, due=now))


#: That a replica other than this one has been seen since, and has edges.
_WITH_EDGES = sa.and_(r.id != sa.bindparam("besides"), r.edges > 0, r.seen > sa.bindparam("since"))
_OTHERS = sa.select(r.id).where(_WITH_EDGES).limit(sa.literal(1))


async def has_others(tx: Tx, besides: str, since: datetime) -> bool:
    """Whether any other replica that was seen since has edges."""
    return (await tx.execute(_OTHERS, {"besides": besides, "since": since})).first() is not None


_HOLD = Upsert(t.routes_held, key=["replica_id", "server_id"], change=lambda new: {"attempt": new.attempt})
_DELETE_HELD = sa.delete(t.routes_held).where(among(h.server_id, "servers"))


async def upsert_held(tx: Tx, replica: str, attempts: Mapping[int, int]) -> None:
    """All edges of a replica route to these attempts of these servers (0: to none)."""
    if attempts:
        rows = [
            {"replica_id": replica, "server_id": server, "attempt": attempt}
            for server, attempt in attempts.items()
        ]
        await _HOLD(tx, rows)


def held_by_all(attempt: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """That the edges of all replicas seen `since`, `besides` one, route to this attempt of the server in question.

    The two are parameters of the statement.
    """
    held = sa.exists().where(h.replica_id == r.id, h.server_id == t.servers.c.id, h.attempt == attempt)
    return ~sa.exists().where(_WITH_EDGES, ~held).correlate(t.servers)


async def delete_held(tx: Tx, servers: Collection[int]) -> None:
    """All agree on these servers: it need not be known any more."""
    await tx.execute(_DELETE_HELD, {"servers": servers})


async def take_job(tx: Tx, name: str, now: datetime, until: datetime) -> bool:
    """Whether a job is ours to do: nobody else gets it until then."""
    mine = sa.update(t.jobs).where(t.jobs.c.name == name, t.jobs.c.until <= now).values(until=until)
    if (await tx.execute(mine)).rowcount:
        return True
    if (await tx.execute(sa.select(t.jobs.c.name).where(t.jobs.c.name == name))).first() is not None:
        return False
    await upsert(
        tx, t.jobs, {"name": name, "until": until}, key=["name"], change=lambda new: {"until": new.until}
    )
    return True
