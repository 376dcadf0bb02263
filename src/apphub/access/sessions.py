"""Rows of sign-ins; whose they are is asked for in `store`, with all that decides rights."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from apphub.access.model import SignedIn
from apphub.db import Tx
from apphub.db import tables as t

s = t.sessions.c


async def list_sessions_of(tx: Tx, name: str, now: datetime) -> list[SignedIn]:
    """The live sign-ins of a person, the newest first."""
    statement = (
        sa.select(s.id, s.public_id, s.created, s.expires, s.agent, s.address)
        .join(t.users, t.users.c.id == s.user_id)
        .where(t.users.c.name == name, s.expires > now)
        .order_by(s.id.desc())
        .limit(200)
    )
    return [SignedIn(*row) for row in await tx.execute(statement)]


async def insert_session(
    tx: Tx,
    *,
    digest: str,
    public_id: str,
    user_id: int,
    now: datetime,
    expires: datetime,
    agent: str = "",
    address: str = "",
) -> int:
    """Note a sign-in; its id."""
    statement = sa.insert(t.sessions).values(
        digest=digest,
        public_id=public_id,
        user_id=user_id,
        created=now,
        expires=expires,
        agent=agent,
        address=address,
    )
    return int((await tx.execute(statement.returning(s.id))).scalar_one())


async def delete_session(tx: Tx, session_id: int) -> None:
    """End a sign-in; the tokens that it granted to apps go with it."""
    await tx.execute(sa.delete(t.sessions).where(s.id == session_id))
