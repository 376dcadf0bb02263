"""The audit table is only ever inserted into; whole entries go when they are old."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from apphub.audit.model import ACTIONS, By, Entry, Search, actions_of
from apphub.db import Tx
from apphub.db import tables as t
from apphub.kit import clock

a = t.audit.c

_INSERT = sa.insert(t.audit)
_ENTRY = (a.id, a.at, a.actor, a.behalf, a.action, a.target, a.before, a.after, a.address, a.request_id)


def _row(by: By, action: str, target: str, before: Any, after: Any) -> dict[str, Any]:
    assert action in ACTIONS, action
    return {
        "at": clock.now(),
        "actor": by.actor,
        "behalf": by.behalf,
        "action": action,
        "target": target,
        "before": before,
        "after": after,
        "address": by.address,
        "request_id": by.request_id,
    }


def insert_entry(tx: Tx, by: By, action: str, target: str, *, before: Any = None, after: Any = None) -> None:
    """Note that `by` did `action` (`group.members.add`) to `target` (`group:analysts`), in the same commit. No secrets."""
    tx.later(_INSERT, _row(by, action, target, before, after))


async def insert_entries(tx: Tx, by: By, action: str, targets: Mapping[str, Any]) -> None:
    """The same action on many targets, each with what it is after that."""
    await insert_all(tx, [(by, action, target, after) for target, after in targets.items()])


async def insert_all(tx: Tx, entries: Sequence[tuple[By, str, str, Any]]) -> None:
    """What was done at once, in one statement: who, the action, its target, and what that is after it."""
    if entries:
        await tx.execute(
            _INSERT, [_row(by, action, target, None, after) for by, action, target, after in entries]
        )


async def list_entries(tx: Tx, search: Search, *, before: int | None, limit: int) -> list[Entry]:
    """Entries that match, the newest first; `before` is the id of the last one that is known already."""
    where = _where(search)
    if before is not None:
        where.append(a.id < before)
    if search.actor is None:
        return await _newest(tx, where, limit)
    # Each half goes by an index of its own, newest first; an OR of them would sort all that match.
    halves = [await _newest(tx, [*where, column == search.actor], limit) for column in (a.actor, a.behalf)]
    merged = heapq.merge(*halves, key=lambda entry: entry.id, reverse=True)
    return list(islice(merged, limit))


async def delete_older(tx: Tx, moment: datetime, most: int) -> int:
    """Forget those of the first `most` entries that are from before a moment; how many."""
    first = sa.select(a.id, a.at).order_by(a.id).limit(most).subquery()
    old = sa.select(first.c.id).where(first.c.at < moment)
    return (await tx.execute(sa.delete(t.audit).where(a.id.in_(old)))).rowcount


async def _newest(tx: Tx, where: list[sa.ColumnElement[bool]], limit: int) -> list[Entry]:
    statement = sa.select(*_ENTRY).where(*where).order_by(a.id.desc()).limit(limit)
    return [Entry(*row) for row in await tx.execute(statement)]


def _where(search: Search) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if search.target is not None:
        where.append(a.target == search.target)
    if search.action is not None:
        where.append(a.action.in_(actions_of(search.action)))
    if search.without is not None:
        where.append(a.action != search.without)
    if search.since is not None:
        where.append(a.at >= search.since)
    if search.until is not None:
        where.append(a.at < search.until)
    if search.request_id is not None:
        where.append(a.request_id == search.request_id)
    return where
