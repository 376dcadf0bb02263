"""Pages by the values of their last row: the thousandth page costs what the first does.

A missing value is the smallest. The last column of an order is unique, so that no row is seen
twice or left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from apphub.listings.model import Cursor, Part, Value

Row = TypeVar("Row")
#: A column, whether it goes down, and whether it may be missing.
Column = tuple[sa.ColumnElement[Any], bool, bool]


def ordered(columns: Sequence[Column], cursor: Cursor | None) -> list[Any]:
    """What to order by."""
    flip = cursor is not None and cursor.backwards
    terms: list[Any] = []
    for column, down, may_miss in columns:
        term = column.desc() if down is not flip else column.asc()
        if may_miss:
            term = term.nulls_last() if down is not flip else term.nulls_first()
        terms.append(term)
    return terms


def beyond(columns: Sequence[Column], cursor: Cursor | None) -> list[sa.ColumnElement[bool]]:
    """What rows beyond the cursor fulfil."""
    if cursor is None or len(cursor.values) != len(columns):
        return []
    cases: list[sa.ColumnElement[bool]] = []
    same: list[sa.ColumnElement[bool]] = []
    for (column, down, may_miss), value in zip(columns, cursor.values, strict=True):
        raw = sa.type_coerce(column, sa.BigInteger) if isinstance(value, int) else column
        further = _further(raw, down is not cursor.backwards, may_miss, value)
        if further is not None:
            cases.append(sa.and_(*same, further))
        same.append(raw.is_(None) if value is None else raw == value)
    return [sa.or_(*cases)]


def _further(
    column: sa.ColumnElement[Any], down: bool, may_miss: bool, value: Value
) -> sa.ColumnElement[bool] | None:
    if value is None:
        return None if down else column.is_not(None)
    if down:
        return sa.or_(column < value, column.is_(None)) if may_miss else column < value
    return column > value


def part(
    rows: Sequence[Row], limit: int, cursor: Cursor | None, values: Callable[[Row], tuple[Value, ...]]
) -> Part[Row]:
    """The page out of the rows that were read: one more than it holds, in the order of reading."""
    more, rows = len(rows) > limit, list(rows[:limit])
    back = cursor is not None and cursor.backwards
    if back:
        rows.reverse()
    if not rows:
        return Part(())
    before = more if back else cursor is not None
    after = more or back
    return Part(
        rows,
        Cursor(values(rows[0]), backwards=True) if before else None,
        Cursor(values(rows[-1])) if after else None,
    )
