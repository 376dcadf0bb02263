"""Counts of rows."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.servers.model import Phase
from apphub.status.model import Load

c = t.servers.c


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


_LOAD = sa.select(
    _count(t.users, t.users.c.deleted.is_(None)),
    _count(t.servers, t.WAITING),
    *(_count(t.servers, t.HELD, c.phase == phase) for phase in (Phase.STARTING, Phase.READY, Phase.STOPPING)),
    _count(t.bulk_jobs, t.bulk_jobs.c.finished.is_(None)),
)


async def load(tx: Tx) -> Load:
    """How busy the hub is."""
    return Load(*(await tx.execute(_LOAD)).one())


async def dialect(tx: Tx) -> str:
    """Which database answers; it takes one question, so that its time can be told."""
    await tx.execute(sa.select(1))
    return tx.dialect
