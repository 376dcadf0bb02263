"""Rows of passes and epochs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.upsert import upsert
from apphub.kit import clock

p = t.passes.c
e = t.epochs.c
d = t.ended_streams.c


async def find_epoch(tx: Tx, server_id: int) -> int:
    """The epoch that passes of a server must have."""
    return (await tx.execute(sa.select(e.epoch).where(e.server_id == server_id))).scalar() or 0


class Held(NamedTuple):
    """The last pass of a session for a server."""

    expires: datetime
    #: Whether the edges have been told that it does not count.
    denied: bool


async def find_pass(tx: Tx, server_id: int, session: str) -> Held | None:
    """The last pass that was given, if it is not long over."""
    statement = sa.select(p.expires, p.denied).where(p.server_id == server_id, p.session == session)
    row = (await tx.execute(statement)).first()
    return None if row is None else Held(*row)


async def upsert_pass(tx: Tx, server_id: int, session: str, expires: datetime) -> None:
    """Note a pass, which counts whatever was before."""
    await upsert(
        tx,
        t.passes,
        {"server_id": server_id, "session": session, "expires": expires, "denied": False},
        key=["server_id", "session"],
        change=lambda new: {"expires": new.expires, "denied": False},
    )


class Live(NamedTuple):
    """A pass that counts, or that something may still be open by."""

    id: int
    session: str
    owner: str
    server: str
    server_id: int


_LIVE = (
    sa.select(p.id, p.session, t.users.c.name, t.servers.c.name, p.server_id)
    .join(t.servers, t.servers.c.id == p.server_id)
    .join(t.users, t.users.c.id == t.servers.c.user_id)
    .where(p.expires > sa.bindparam("oldest"), ~p.denied)
    .order_by(p.session)
)
_GROUPS_OF = (
    sa.select(t.users.c.name, t.groups.c.name)
    .join(t.memberships, t.memberships.c.user_id == t.users.c.id)
    .join(t.groups, t.groups.c.id == t.memberships.c.group_id)
    .where(t.users.c.name.in_(sa.bindparam("owners", expanding=True)))
)
_NEXT_END = sa.select(sa.func.min(p.expires)).where(p.expires > sa.bindparam("after"), ~p.denied)


async def list_live(tx: Tx, oldest: datetime) -> list[Live]:
    """Passes that end after `oldest`, by session."""
    return [Live(*row) for row in await tx.execute(_LIVE, {"oldest": oldest})]


async def list_groups_of(tx: Tx, owners: Collection[str]) -> dict[str, frozenset[str]]:
    """The groups that people are in, by name."""
    groups: dict[str, set[str]] = {}
    for owner, group in await tx.execute(_GROUPS_OF, {"owners": list(owners)}):
        groups.setdefault(owner, set()).add(group)
    return {owner: frozenset(names) for owner, names in groups.items()}


async def find_next_end(tx: Tx, after: datetime) -> datetime | None:
    """When the first of the passes that count then runs out."""
    return (await tx.execute(_NEXT_END, {"after": after})).scalar()


async def deny(tx: Tx, ids: Collection[int]) -> None:
    """These passes no longer count."""
    await tx.execute(sa.update(t.passes).where(p.id.in_(ids)).values(denied=True))


async def list_denied(tx: Tx, server_ids: Sequence[int], now: datetime) -> dict[int, list[str]]:
    """Sessions whose passes do not count though they have not expired, by server."""
    statement = sa.select(p.server_id, p.session).where(
        p.server_id.in_(server_ids), p.denied, p.expires > now
    )
    denied: dict[int, list[str]] = {}
    for server_id, session in await tx.execute(statement.order_by(p.id)):
        denied.setdefault(server_id, []).append(session)
    return denied


async def raise_epoch(tx: Tx, server_id: int) -> None:
    """Void every pass of a server at once."""
    await upsert(
        tx,
        t.epochs,
        {"server_id": server_id, "epoch": 1},
        key=["server_id"],
        change=lambda _: {"epoch": e.epoch + 1},
    )
    # Those that are left say who may have something open.
    await tx.execute(sa.delete(t.passes).where(p.server_id == server_id, p.denied))


async def insert_ended(tx: Tx, pairs: Collection[tuple[int, str]], until: datetime) -> None:
    """What these sessions have open at these servers must end; kept as long as it may be open."""
    await upsert(
        tx,
        t.ended_streams,
        [{"server_id": server, "session": session, "until": until} for server, session in pairs],
        key=["server_id", "session"],
        change=lambda new: {"until": new.until},
    )


async def delete_ended(tx: Tx, server_id: int, session: str) -> bool:
    """This session may visit again; whether it could not."""
    statement = sa.delete(t.ended_streams).where(d.server_id == server_id, d.session == session)
    return (await tx.execute(statement)).rowcount > 0


async def list_ended(tx: Tx, now: datetime) -> list[tuple[int, str]]:
    """Servers, and the sessions whose streams there must end."""
    statement = sa.select(d.server_id, d.session).where(d.until > now).order_by(d.server_id, d.session)
    return [(row[0], row[1]) for row in await tx.execute(statement)]


async def delete_expired(tx: Tx, before: datetime) -> None:
    """Forget passes that ended before that, and streams that have ended by now."""
    await tx.execute(sa.delete(t.ended_streams).where(d.until < clock.now()))
    await tx.execute(sa.delete(t.passes).where(p.expires < before))
