"""Rows of shares and share codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.kit import secrets
from apphub.servers.store import SERVER, server_of
from apphub.shares.model import Share, ShareCode, With

#: What narrows a list; made by the functions here only.
Clause = sa.ColumnElement[bool]

h = t.shares.c
k = t.share_codes.c
_GUEST = t.users.alias("guest")

_SHARES = (
    sa.select(*SERVER, h.id, _GUEST.c.name, t.groups.c.name, h.scopes, h.created, h.expires)
    .select_from(t.shares)
    .join(t.servers, t.servers.c.id == h.server_id)
    .join(t.users, t.users.c.id == t.servers.c.user_id)
    .outerjoin(_GUEST, _GUEST.c.id == h.user_id)
    .outerjoin(t.groups, t.groups.c.id == h.group_id)
    .where(t.users.c.deleted.is_(None))
)
_CODES = (
    sa.select(*SERVER, k.id, k.scopes, k.created, k.expires, k.exchange_count, k.last_exchanged)
    .select_from(t.share_codes)
    .join(t.servers, t.servers.c.id == k.server_id)
    .join(t.users, t.users.c.id == t.servers.c.user_id)
    .where(t.users.c.deleted.is_(None))
)


def _share_of(row: Any) -> Share:
    key, user, group, scopes, created, expires = row[len(SERVER) :]
    return Share(key, server_of(row), user, group, tuple(scopes), created, expires)


def _code_of(row: Any) -> ShareCode:
    key, scopes, created, expires, count, last = row[len(SERVER) :]
    return ShareCode(key, server_of(row), tuple(scopes), created, expires, count, last)


def of_server(server_id: int) -> Clause:
    """Only this server."""
    return t.servers.c.id == server_id


def of_owner(user_id: int) -> Clause:
    """Only servers of this person."""
    return t.servers.c.user_id == user_id


def with_user(user_id: int) -> Clause:
    """Only what this person is given, directly or by a group."""
    groups = sa.select(t.memberships.c.group_id).where(t.memberships.c.user_id == user_id)
    return sa.or_(h.user_id == user_id, h.group_id.in_(groups))


def with_group(group_id: int) -> Clause:
    """Only what this group is given."""
    return h.group_id == group_id


async def list_shares(
    tx: Tx, *where: Clause, now: datetime, offset: int = 0, limit: int = 10_000
) -> list[Share]:
    """Live shares, oldest first."""
    live = sa.or_(h.expires.is_(None), h.expires > now)
    statement = _SHARES.where(live, *where).order_by(h.id).offset(offset).limit(limit)
    return [_share_of(row) for row in await tx.execute(statement)]


async def count_shares(tx: Tx, *where: Clause, now: datetime) -> int:
    """How many live shares there are."""
    live = sa.or_(h.expires.is_(None), h.expires > now)
    inner = _SHARES.where(live, *where).with_only_columns(h.id).subquery()
    return int((await tx.execute(sa.select(sa.func.count()).select_from(inner))).scalar_one())


async def find_share(
    tx: Tx, server_id: int, *, user_id: int | None, group_id: int | None, now: datetime
) -> Share | None:
    """The share of a server with exactly this user or group."""
    whom = h.user_id == user_id if user_id is not None else h.group_id == group_id
    found = await list_shares(tx, of_server(server_id), whom, now=now)
    return found[0] if found else None


async def insert_share(
    tx: Tx,
    server_id: int,
    *,
    user_id: int | None,
    group_id: int | None,
    scopes: Sequence[str],
    now: datetime,
    expires: datetime | None,
) -> None:
    """Open a server to a user or group."""
    await tx.execute(
        sa.insert(t.shares).values(
            server_id=server_id,
            user_id=user_id,
            group_id=group_id,
            scopes=list(scopes),
            created=now,
            expires=expires,
        )
    )


async def update_share(tx: Tx, share_id: int, **values: Any) -> None:
    """Set columns of a share."""
    await tx.execute(sa.update(t.shares).where(h.id == share_id).values(**values))


async def delete_share(tx: Tx, share_id: int) -> None:
    """End a share."""
    await tx.execute(sa.delete(t.shares).where(h.id == share_id))


async def delete_shares_of(tx: Tx, server_id: int) -> None:
    """End all shares of a server."""
    await tx.execute(sa.delete(t.shares).where(h.server_id == server_id))


async def list_codes(
    tx: Tx, *where: Clause, now: datetime, offset: int = 0, limit: int = 10_000
) -> list[ShareCode]:
    """Live codes, oldest first."""
    live = sa.or_(k.expires.is_(None), k.expires > now)
    statement = _CODES.where(live, *where).order_by(k.id).offset(offset).limit(limit)
    return [_code_of(row) for row in await tx.execute(statement)]


async def count_codes(tx: Tx, *where: Clause, now: datetime) -> int:
    """How many live codes there are."""
    live = sa.or_(k.expires.is_(None), k.expires > now)
    inner = _CODES.where(live, *where).with_only_columns(k.id).subquery()
    return int((await tx.execute(sa.select(sa.func.count()).select_from(inner))).scalar_one())


def by_secret(secret: str) -> Clause:
    """Only the code of this secret."""
    return k.digest == secrets.digest(secret)


def by_id(code_id: int) -> Clause:
    """Only the code of this id."""
    return k.id == code_id


async def insert_code(
    tx: Tx, server_id: int, secret: str, *, scopes: Sequence[str], now: datetime, expires: datetime
) -> int:
    """Store a code's digest; its id."""
    statement = sa.insert(t.share_codes).values(
        server_id=server_id,
        digest=secrets.digest(secret),
        scopes=list(scopes),
        created=now,
        expires=expires,
    )
    return int((await tx.execute(statement.returning(k.id))).scalar_one())


async def note_exchange(tx: Tx, code_id: int, now: datetime) -> None:
    """A code has been used."""
    await tx.execute(
        sa.update(t.share_codes)
        .where(k.id == code_id)
        .values(exchange_count=k.exchange_count + 1, last_exchanged=now)
    )


async def delete_codes(tx: Tx, ids: Sequence[int]) -> None:
    """End codes."""
    await tx.execute(sa.delete(t.share_codes).where(k.id.in_(ids)))


async def find_whom(tx: Tx, whom: With) -> tuple[int | None, int | None]:
    """Ids of the user or the group; both None when there is no such."""
    if whom.user is not None:
        statement = sa.select(t.users.c.id).where(t.users.c.name == whom.user, t.users.c.deleted.is_(None))
        return (await tx.execute(statement)).scalar(), None
    return None, (await tx.execute(sa.select(t.groups.c.id).where(t.groups.c.name == whom.group))).scalar()
