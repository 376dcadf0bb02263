"""Insert a row, or change the one that is there: the one statement both databases spell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import sqlalchemy as sa

from apphub.db.engine import Tx


class Upsert:
    """Inserts rows into a table; where `key` exists, sets what `change(excluded)` says instead."""

    def __init__(
        self, table: sa.Table, *, key: Sequence[str], change: Callable[[Any], Mapping[str, Any]]
    ) -> None:
        self._table, self._key, self._change = table, list(key), change
        #: By dialect, once it was needed.
        self._statements: dict[str, sa.Executable] = {}

    async def __call__(self, tx: Tx, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """One row, or several."""
        statement = self._statements.get(tx.dialect)
        if statement is None:
            statement = self._statements[tx.dialect] = self._statement(tx.dialect)
        await tx.execute(statement, values)

    def _statement(self, dialect: str) -> sa.Executable:
        insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(self._table)
        changed: sa.Executable = insert.on_conflict_do_update(
            index_elements=self._key, set_=dict(self._change(insert.excluded))
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
