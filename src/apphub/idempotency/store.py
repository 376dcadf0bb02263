"""Rows of answered requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.idempotency.model import Answered, Asked

c = t.idempotency.c

#: Rows deleted in one transaction.
BATCH = 1000

_FIND = sa.select(c.body, c.status, c.answer, c.busy_until).where(
    c.digest == sa.bindparam("digest"), c.expires > sa.bindparam("now")
)
_INSERT = sa.insert(t.idempotency)
_FORGET = sa.delete(t.idempotency).where(c.digest == sa.bindparam("of"), c.expires <= sa.bindparam("now"))
_ANSWER = (
    sa.update(t.idempotency)
    .where(c.digest == sa.bindparam("of"))
    .values(status=sa.bindparam("told"), answer=sa.bindparam("text"), busy_until=None)
)


async def find(tx: Tx, digest: str, now: datetime) -> Any | None:
    """(digest of the body, status, answer, busy until) of a request that was done."""
    return (await tx.execute(_FIND, {"digest": digest, "now": now})).first()


async def insert(
    tx: Tx, asked: Asked, answered: Answered, *, busy_until: datetime | None, now: datetime, expires: datetime
) -> None:
    """Note a request; raises `Conflict` where another did so at the same moment."""
    await tx.execute(_FORGET, {"of": asked.digest, "now": now})
    values = {
        "digest": asked.digest,
        "body": asked.body,
        "status": answered.status,
        "answer": answered.body,
        "busy_until": busy_until,
        "expires": expires,
    }
    await tx.execute(_INSERT, values)


async def update(tx: Tx, digest: str, answered: Answered) -> None:
    """Note how it was answered in the end."""
    await tx.execute(_ANSWER, {"of": digest, "told": answered.status, "text": answered.body})


async def delete_expired(tx: Tx, now: datetime) -> int:
    """Forget some of what need not be kept any more; how many."""
    old = sa.select(c.id).where(c.expires <= now).order_by(c.expires).limit(BATCH)
    return (await tx.execute(sa.delete(t.idempotency).where(c.id.in_(old)))).rowcount
