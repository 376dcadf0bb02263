"""Insert a row, or change the one that is there: the one statement both databases spell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from apphub.db.engine import Tx


async def upsert(
    tx: Tx,
    table: sa.Table,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    change: Callable[[Any], Mapping[str, Any]],
) -> None:
    """Insert `values`; where `key` exists, set what `change(excluded)` says instead."""
    insert: Any = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    statement = insert(table).values(values)
    await tx.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=dict(change(statement.excluded)))
    )
