"""Rows that count failed sign-ins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.upsert import upsert

f = t.login_failures.c


async def find_failures(tx: Tx, keys: Sequence[str], now: datetime) -> Mapping[str, tuple[int, datetime]]:
    """Failures counted in the current window, by key: how many, and until when they count."""
    rows = await tx.execute(sa.select(f.key, f.count, f.until).where(f.key.in_(keys), f.until > now))
    return {row[0]: (row[1], row[2]) for row in rows}


async def add_failure(tx: Tx, keys: Sequence[str], now: datetime, until: datetime) -> Mapping[str, int]:
    """Count one more failure for each key, a window that is over begins anew; how many there are now."""
    await upsert(
        tx,
        t.login_failures,
        [{"key": key, "count": 1, "until": until} for key in keys],
        key=["key"],
        change=lambda new: {
            "count": sa.case((f.until > now, f.count + 1), else_=1),
            "until": sa.case((f.until > now, f.until), else_=new.until),
        },
    )
    return {key: count for key, (count, _) in (await find_failures(tx, keys, now)).items()}


async def delete_failures(tx: Tx, key: str) -> None:
    """Forget the failures of a key."""
    await tx.execute(sa.delete(t.login_failures).where(f.key == key))
