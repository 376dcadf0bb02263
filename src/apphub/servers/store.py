"""Rows of servers, as the actions see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.types import Json
from apphub.kit.addresses import Address
from apphub.people.model import Person
from apphub.servers.model import (
    LIVE,
    Ask,
    Phase,
    Plan,
    Progress,
    Server,
    ServerKey,
    Wanted,
    parse_display_name,
)

c = t.servers.c
e = t.server_events.c

#: The columns that `server_of` reads, in its order.
SERVER = (
    c.id,
    t.users.c.name,
    c.name,
    c.display_name,
    c.created,
    c.wanted,
    c.attempt,
    c.options,
    c.spec,
    c.requested,
    c.phase,
    c.phase_attempt,
    c.reason,
    c.admitted,
    c.place,
    c.ip,
    c.port,
    c.routed_attempt,
    c.last_activity,
    c.user_id,
    c.removal,
)

_SELECT = sa.select(*SERVER).join(t.users, t.users.c.id == c.user_id)
_BY_KEY = _SELECT.where(
    t.users.c.name == sa.bindparam("user"), c.name == sa.bindparam("name"), t.users.c.deleted.is_(None)
)
_BY_ID = _SELECT.where(c.id == sa.bindparam("id"))
_BY_KEYS = _SELECT.where(among(t.users.c.name, "users"), among(c.name, "names"), t.users.c.deleted.is_(None))
_BY_IDS = _SELECT.where(among(c.id, "ids"))
_OF_USER = _SELECT.where(c.user_id == sa.bindparam("user")).order_by(c.name)
_COUNT_NAMED = sa.select(sa.func.count()).where(
    c.user_id == sa.bindparam("user"), c.name != "", c.wanted != Wanted.REMOVED
)
_INSERT = sa.insert(t.servers).returning(c.id)
_WANT = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"))
    .values(wanted=sa.bindparam("want"), due=sa.bindparam("now"))
)
_others = t.servers.alias()
#: Who has servers waits that many turns longer for one more.
_HELD_BY_OWNER = (
    sa.select(sa.func.count())
    .where(_others.c.user_id == c.user_id, _others.c.place.is_not(None))
    .correlate(t.servers)
    .scalar_subquery()
)
_START = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"))
    .values(
        wanted=Wanted.RUNNING,
        attempt=c.attempt + 1,
        spec=sa.bindparam("plan", type_=Json),
        profile_id=sa.bindparam("profile"),
        ends=None,
        removal=None,
        options=sa.bindparam("sent", type_=Json),
        requested=sa.bindparam("now"),
        last_activity=sa.bindparam("now"),
        due=sa.bindparam("now"),
        turn=sa.bindparam("of") + _HELD_BY_OWNER,
        group_turn=sa.bindparam("of_group"),
        cpu=sa.bindparam("cpus"),
        memory=sa.bindparam("bytes"),
    )
    .returning(*(c.name if column is t.users.c.name else column for column in SERVER))
)
_INSERT_EVENT = sa.insert(t.server_events)
_DELETE_EVENTS = sa.delete(t.server_events).where(
    e.server_id == sa.bindparam("server"), e.attempt < sa.bindparam("before")
)
_EVENTS = (
    sa.select(e.id, e.attempt, e.at, e.progress, e.message)
    .where(
        e.server_id == sa.bindparam("server"),
        e.attempt == sa.bindparam("of"),
        e.id > sa.bindparam("after"),
    )
    .order_by(e.id)
)
_ALL_EVENTS = (
    sa.select(e.id, e.attempt, e.at, e.progress, e.message)
    .where(e.server_id == sa.bindparam("server"))
    .order_by(e.id)
)


def server_of(row: Any) -> Server:
    """The value of a row that starts with `SERVER`."""
    return Server(
        id=row[0],
        key=ServerKey(row[1], row[2]),
        display_name=row[3],
        created=row[4],
        wanted=Wanted(row[5]),
        attempt=row[6],
        options=row[7],
        plan=msgspec.convert(row[8], Plan) if row[8] is not None else None,
        requested=row[9],
        phase=Phase(row[10]),
        phase_attempt=row[11],
        reason=row[12],
        admitted=row[13],
        place=row[14],
        address=Address(row[15], row[16]) if row[16] is not None else None,
        routed_attempt=row[17],
        last_activity=row[18],
        user_id=row[19],
        removal=row[20],
    )


async def find_server(tx: Tx, key: ServerKey) -> Server | None:
    """The server of this key, if there is one."""
    row = (await tx.execute(_BY_KEY, {"user": key.user, "name": key.name})).first()
    return None if row is None else server_of(row)


async def find_servers(tx: Tx, keys: Collection[ServerKey]) -> dict[ServerKey, Server]:
    """The servers of these keys: those that there are."""
    if len(keys) == 1:
        [key] = keys
        server = await find_server(tx, key)
        return {} if server is None else {key: server}
    values = {"users": {key.user for key in keys}, "names": {key.name for key in keys}}
    found = (server_of(row) for row in await tx.execute(_BY_KEYS, values))
    return {server.key: server for server in found if server.key in keys}


async def find_server_by_id(tx: Tx, server_id: int) -> Server | None:
    """The server of this id, also of somebody who is being deleted."""
    row = (await tx.execute(_BY_ID, {"id": server_id})).first()
    return None if row is None else server_of(row)


async def list_servers(tx: Tx, ids: Collection[int]) -> list[Server]:
    """These servers, in no order."""
    return [server_of(row) for row in await tx.execute(_BY_IDS, {"ids": ids})]


async def list_servers_of(tx: Tx, user_id: int) -> list[Server]:
    """All servers of one person, the default one first."""
    rows = await tx.execute(_OF_USER, {"user": user_id})
    return [server_of(row) for row in rows]


async def count_named(tx: Tx, user_id: int) -> int:
    """How many named servers a person has."""
    return int((await tx.execute(_COUNT_NAMED, {"user": user_id})).scalar_one())


class NewServer(NamedTuple):
    """A row to be made."""

    user_id: int
    name: str
    display_name: str
    options: dict[str, Any] | None
    created: datetime

    @classmethod
    def of(cls, person: Person, key: ServerKey, ask: Ask, now: datetime) -> NewServer:
        """One that is asked for by its key; raises `Invalid` for what it is to be called."""
        options = None if ask.options is None else dict(ask.options)
        return cls(person.id, key.name, parse_display_name(ask.display_name or ""), options, now)


class Start(NamedTuple):
    """The next attempt of a server; `takes` are thousandths of a processor and bytes that it counts for."""

    user: str
    server_id: int
    plan: Plan
    sent: dict[str, Any] | None
    turn: tuple[int, int]
    takes: tuple[int, int]

    def values(self, now: datetime) -> dict[str, Any]:
        """The parameters."""
        return {
            "server": self.server_id,
            "plan": msgspec.to_builtins(self.plan),
            "profile": self.plan.profile_id or None,
            "sent": self.sent,
            "now": now,
            "of": self.turn[0],
            "of_group": self.turn[1],
            "cpus": self.takes[0],
            "bytes": self.takes[1],
        }


async def insert_servers(tx: Tx, new: Sequence[NewServer]) -> list[int]:
    """Create servers that are stopped; their ids."""
    return (await tx.execute(_INSERT, [one._asdict() for one in new])).scalars() if new else []


async def update_server(tx: Tx, server_id: int, **values: Any) -> None:
    """Set columns that belong to actions."""
    await tx.execute(sa.update(t.servers).where(c.id == server_id).values(**values))


async def update_wanted(tx: Tx, server_id: int, wanted: Wanted, now: datetime) -> None:
    """Say what is wanted, and have the reconciler look at once."""
    await tx.execute(_WANT, {"server": server_id, "want": wanted, "now": now})


async def stop_all(tx: Tx, now: datetime) -> list[int]:
    """Want every running server stopped; their ids."""
    statement = (
        sa.update(t.servers)
        .where(c.wanted == Wanted.RUNNING, sa.or_(c.phase.in_(LIVE), c.attempt > c.phase_attempt))
        .values(wanted=Wanted.STOPPED, due=now)
        .returning(c.id)
    )
    return list((await tx.execute(statement)).scalars())


async def request_starts(tx: Tx, starts: Sequence[Start], now: datetime) -> list[Server]:
    """Ask for the next attempt of each server; the servers then, in this order."""
    rows = await tx.execute(_START, [start.values(now) for start in starts])
    return [server_of((row[0], start.user, *row[2:])) for start, row in zip(starts, rows, strict=True)]


async def delete_server(tx: Tx, server_id: int) -> None:
    """Forget a server."""
    await tx.execute(sa.delete(t.servers).where(c.id == server_id))


async def insert_event(
    tx: Tx, server_id: int, attempt: int, *, progress: int, message: str, now: datetime
) -> None:
    """Note progress of an attempt."""
    await insert_events(tx, [(server_id, attempt, progress, message)], now)


async def insert_events(tx: Tx, events: Sequence[tuple[int, int, int, str]], now: datetime) -> None:
    """Note progress: (server, attempt, per cent, words) each."""
    if events:
        names = ("server_id", "attempt", "progress", "message", "at")
        await tx.execute(_INSERT_EVENT, [dict(zip(names, (*event, now), strict=True)) for event in events])


async def delete_old_events(tx: Tx, before: Sequence[tuple[int, int]]) -> None:
    """Forget the progress of a server's attempts before one: (server, attempt) each."""
    if before:
        await tx.execute(
            _DELETE_EVENTS, [{"server": server, "before": attempt} for server, attempt in before]
        )


async def list_events(tx: Tx, server_id: int, attempt: int, after: int = 0) -> list[Progress]:
    """Progress of one attempt, oldest first, after the event of that id."""
    values = {"server": server_id, "of": attempt, "after": after}
    return [Progress(*row) for row in await tx.execute(_EVENTS, values)]


async def list_all_events(tx: Tx, server_id: int) -> list[Progress]:
    """Progress of every attempt that is remembered, oldest first."""
    return [Progress(*row) for row in await tx.execute(_ALL_EVENTS, {"server": server_id})]
