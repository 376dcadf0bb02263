"""Rows of passes and epochs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.upsert import upsert

p = t.passes.c
e = t.epochs.c


async def find_epoch(tx: Tx, server_id: int) -> int:
    """The epoch that passes of a server must have."""
    return (await tx.execute(sa.select(e.epoch).where(e.server_id == server_id))).scalar() or 0


async def upsert_pass(tx: Tx, server_id: int, session: str, expires: datetime) -> bool:
    """Note a pass; whether the edges had been told that the session's passes do not count."""
    was_denied = sa.select(p.denied).where(p.server_id == server_id, p.session == session)
    denied = bool((await tx.execute(was_denied)).scalar())
    await upsert(
        tx,
        t.passes,
        {"server_id": server_id, "session": session, "expires": expires, "denied": False},
        key=["server_id", "session"],
        change=lambda new: {"expires": new.expires, "denied": False},
    )
    return denied


async def list_live(tx: Tx, now: datetime) -> list[tuple[int, str, str, str, int]]:
    """(id, session, owner, server, server id) of the passes that count, by session."""
    statement = (
        sa.select(p.id, p.session, t.users.c.name, t.servers.c.name, p.server_id)
        .join(t.servers, t.servers.c.id == p.server_id)
        .join(t.users, t.users.c.id == t.servers.c.user_id)
        .where(p.expires > now, ~p.denied)
        .order_by(p.session)
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await tx.execute(statement)]


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
    await tx.execute(sa.delete(t.passes).where(p.server_id == server_id))


async def delete_expired(tx: Tx, now: datetime) -> None:
    """Forget passes that are over."""
    await tx.execute(sa.delete(t.passes).where(p.expires < now))
