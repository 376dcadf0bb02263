"""Rows of jobs and their steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.audit import By
from apphub.db import Tx
from apphub.db import tables as t
from apphub.jobs.model import Item, Job, Kind

j = t.bulk_jobs.c
i = t.bulk_items.c


def _count(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    counted = sa.select(sa.func.count()).select_from(t.bulk_items).where(i.job_id == j.id, *where)
    return counted.correlate(t.bulk_jobs).scalar_subquery()


_JOB = sa.select(
    j.id,
    j.user_id,
    t.users.c.name,
    j.kind,
    j.target,
    j.created,
    j.finished,
    j.cancelled,
    j.total,
    _count(i.done.is_not(None)),
    _count(i.problem.is_not(None)),
    j.address,
    j.request_id,
).join(t.users, t.users.c.id == j.user_id)


def _job_of(row: Any) -> Job:
    return Job(row[0], row[1], row[2], Kind(row[3]), *row[4:])


async def insert_job(
    tx: Tx, by: By, user_id: int, kind: Kind, target: str, items: Sequence[str], now: datetime
) -> int:
    """Write a job down; its id."""
    values = {
        "user_id": user_id,
        "kind": kind,
        "target": target,
        "created": now,
        "finished": None if items else now,
        "total": len(items),
        "address": by.address,
        "request_id": by.request_id,
    }
    key = int((await tx.execute(sa.insert(t.bulk_jobs).values(**values).returning(j.id))).scalar_one())
    if items:
        await tx.execute(sa.insert(t.bulk_items), [{"job_id": key, "item": item} for item in items])
    return key


async def find_job(tx: Tx, job_id: int) -> Job | None:
    """One job."""
    row = (await tx.execute(_JOB.where(j.id == job_id))).first()
    return None if row is None else _job_of(row)


async def list_jobs_of(tx: Tx, user_id: int, most: int) -> list[Job]:
    """The last jobs of a person."""
    statement = _JOB.where(j.user_id == user_id).order_by(j.id.desc()).limit(most)
    return [_job_of(row) for row in await tx.execute(statement)]


async def list_problems(tx: Tx, job_id: int, most: int) -> list[Item]:
    """The first steps that could not be done."""
    statement = sa.select(i.id, i.item, i.problem).where(i.job_id == job_id, i.problem.is_not(None))
    return [Item(*row) for row in await tx.execute(statement.order_by(i.id).limit(most))]


async def is_waiting(tx: Tx, now: datetime) -> bool:
    """Whether there is a job that nobody works on."""
    free = sa.and_(j.finished.is_(None), sa.or_(j.lease_until.is_(None), j.lease_until < now))
    return (await tx.execute(sa.select(j.id).where(free).limit(1))).first() is not None


async def claim(tx: Tx, lease: str, now: datetime, until: datetime) -> int | None:
    """Take the oldest job that nobody works on; its id."""
    free = sa.and_(j.finished.is_(None), sa.or_(j.lease_until.is_(None), j.lease_until < now))
    oldest = sa.select(j.id).where(free).order_by(j.id).limit(1).scalar_subquery()
    statement = sa.update(t.bulk_jobs).where(j.id == oldest, free).values(lease=lease, lease_until=until)
    return (await tx.execute(statement.returning(j.id))).scalar()


async def renew(tx: Tx, job_id: int, lease: str, until: datetime) -> bool:
    """Keep a job; whether it is still ours, and not called off."""
    statement = sa.update(t.bulk_jobs).where(j.id == job_id, j.lease == lease, ~j.cancelled)
    return bool((await tx.execute(statement.values(lease_until=until))).rowcount)


async def list_left(tx: Tx, job_id: int, most: int) -> list[Item]:
    """The next steps."""
    statement = sa.select(i.id, i.item).where(i.job_id == job_id, i.done.is_(None)).order_by(i.id)
    return [Item(*row) for row in await tx.execute(statement.limit(most))]


async def note_step(tx: Tx, item_id: int, now: datetime, problem: str | None) -> None:
    """A step is done, or could not be."""
    await tx.execute(sa.update(t.bulk_items).where(i.id == item_id).values(done=now, problem=problem))


async def finish(tx: Tx, job_id: int, now: datetime, *, cancelled: bool = False) -> None:
    """Nothing more is done for it."""
    values = {"finished": now, "lease": None, "lease_until": None}
    await tx.execute(
        sa.update(t.bulk_jobs)
        .where(j.id == job_id, j.finished.is_(None))
        .values(**values, **({"cancelled": True} if cancelled else {}))
    )


async def release(tx: Tx, job_id: int, lease: str) -> None:
    """Give a job back, to be taken up at once by whoever is there."""
    await tx.execute(
        sa.update(t.bulk_jobs).where(j.id == job_id, j.lease == lease).values(lease=None, lease_until=None)
    )


async def delete_finished(tx: Tx, before: datetime) -> None:
    """Forget jobs that ended before a moment."""
    await tx.execute(sa.delete(t.bulk_jobs).where(j.finished < before))


async def break_leases(tx: Tx) -> None:
    """Of a hub that has died: the database is ours alone."""
    await tx.execute(sa.update(t.bulk_jobs).where(j.lease.is_not(None)).values(lease=None, lease_until=None))
