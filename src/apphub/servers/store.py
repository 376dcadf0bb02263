"""Rows of servers, as the actions see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.types import Json
from apphub.kit.addresses import Address
from apphub.servers.model import LIVE, Phase, Plan, Progress, Server, ServerKey, Wanted

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
_OF_USER = _SELECT.where(c.user_id == sa.bindparam("user")).order_by(c.name)
_LOCK = sa.select(t.users.c.id).where(t.users.c.id == sa.bindparam("user")).with_for_update()
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
    .returning(c.attempt)
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
_ACTIVE = (
    sa.update(t.servers)
    .where(
        c.id == sa.bindparam("server"),
        sa.or_(c.last_activity.is_(None), c.last_activity < sa.bindparam("seen")),
    )
    .values(last_activity=sa.bindparam("seen"))
)
_USER_ACTIVE = (
    sa.update(t.users)
    .where(
        t.users.c.id == sa.bindparam("user"),
        sa.or_(t.users.c.last_activity.is_(None), t.users.c.last_activity < sa.bindparam("seen")),
    )
    .values(last_activity=sa.bindparam("seen"))
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


async def find_server_by_id(tx: Tx, server_id: int) -> Server | None:
    """The server of this id, also of somebody who is being deleted."""
    row = (await tx.execute(_BY_ID, {"id": server_id})).first()
    return None if row is None else server_of(row)


async def lock_user(tx: Tx, user_id: int) -> None:
    """Let no other transaction start or create servers of this person meanwhile."""
    await tx.execute(_LOCK, {"user": user_id})


async def list_servers_of(tx: Tx, user_id: int) -> list[Server]:
    """All servers of one person, the default one first."""
    rows = await tx.execute(_OF_USER, {"user": user_id})
    return [server_of(row) for row in rows]


async def count_named(tx: Tx, user_id: int) -> int:
    """How many named servers a person has."""
    return int((await tx.execute(_COUNT_NAMED, {"user": user_id})).scalar_one())


async def insert_server(
    tx: Tx,
    user_id: int,
    name: str,
    *,
    display_name: str,
    options: dict[str, Any] | None,
    now: datetime,
) -> int:
    """Create a server that is stopped; its id."""
    values = {
        "user_id": user_id,
        "name": name,
        "display_name": display_name,
        "options": options,
        "created": now,
    }
    return int((await tx.execute(_INSERT, values)).scalar_one())


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


async def request_start(
    tx: Tx,
    server_id: int,
    *,
    plan: Plan,
    options: dict[str, Any] | None,
    turn: tuple[int, int],
    takes: tuple[int, int],
    now: datetime,
) -> int:
    """Ask for the next attempt; its number. `takes` are the thousandths of a processor and bytes it counts for."""
    values = {"server": server_id, "plan": msgspec.to_builtins(plan), "sent": options, "now": now}
    values |= {"of": turn[0], "of_group": turn[1], "cpus": takes[0], "bytes": takes[1]}
    values["profile"] = plan.profile_id or None
    return int((await tx.execute(_START, values)).scalar_one())


async def delete_server(tx: Tx, server_id: int) -> None:
    """Forget a server."""
    await tx.execute(sa.delete(t.servers).where(c.id == server_id))


async def insert_event(
    tx: Tx, server_id: int, attempt: int, *, progress: int, message: str, now: datetime
) -> None:
    """Note progress of an attempt."""
    values = {
        "server_id": server_id,
        "attempt": attempt,
        "progress": progress,
        "message": message,
        "at": now,
    }
    await tx.execute(_INSERT_EVENT, values)


async def delete_old_events(tx: Tx, server_id: int, before_attempt: int) -> None:
    """Forget the progress of attempts before this one."""
    await tx.execute(_DELETE_EVENTS, {"server": server_id, "before": before_attempt})


async def list_events(tx: Tx, server_id: int, attempt: int, after: int = 0) -> list[Progress]:
    """Progress of one attempt, oldest first, after the event of that id."""
    values = {"server": server_id, "of": attempt, "after": after}
    return [Progress(*row) for row in await tx.execute(_EVENTS, values)]


async def list_all_events(tx: Tx, server_id: int) -> list[Progress]:
    """Progress of every attempt that is remembered, oldest first."""
    return [Progress(*row) for row in await tx.execute(_ALL_EVENTS, {"server": server_id})]


async def update_activity(tx: Tx, server_id: int, seen: datetime) -> None:
    """Move a server's last activity forward, never back."""
    await tx.execute(_ACTIVE, {"server": server_id, "seen": seen})


async def note_used(tx: Tx, server_ids: Sequence[int], seen: datetime) -> None:
    """Move the last activity of many servers forward, never back."""
    await tx.execute(
        sa.update(t.servers)
        .where(c.id.in_(server_ids), sa.or_(c.last_activity.is_(None), c.last_activity < seen))
        .values(last_activity=seen)
    )


async def update_user_activity(tx: Tx, user_id: int, seen: datetime) -> None:
    """Move a person's last activity forward, never back."""
    await tx.execute(_USER_ACTIVE, {"user": user_id, "seen": seen})
