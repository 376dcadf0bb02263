"""Insert a row, or change the one that is there: the one statement both databases spell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from apphub.db.engine import Tx


class Upsert:
    """Inserts rows into a table; where `key` exists, sets what `change(excluded)` says instead."""

    def __init__(
        self, table: sa.Table, *, key: Sequence[str], change: Callable[[Any], Mapping[str, Any]]
    ) -> None:
        self._statements = {
            dialect: _statement(insert(table), key, change)
            for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
        }

    async def __call__(self, tx: Tx, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """One row, or several."""
        await tx.execute(self._statements[tx.dialect], values)


def _statement(insert: Any, key: Sequence[str], change: Callable[[Any], Mapping[str, Any]]) -> sa.Executable:
    changed: sa.Executable = insert.on_conflict_do_update(
        index_elements=list(key), set_=dict(change(insert.excluded))
    )
    return changed


async def upsert(
    tx: Tx,
    table: sa.Table,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    change: Callable[[Any], Mapping[str, Any]],
) -> None:
    """The same for what is seldom done."""
    await Upsert(table, key=key, change=change)(tx, values)
