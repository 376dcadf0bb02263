"""Moments that only ever go forward, whoever writes them and in whatever order."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from apphub.db.among import among


def is_later(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether the parameter `seen` is later than what stands in the column."""
    return sa.or_(column.is_(None), column < sa.bindparam("seen"))


def forward(column: sa.Column[Any]) -> sa.Update:
    """Moves the column to `seen` in the rows that have the `ids`, where that is later.

    Rows are locked in the order of their ids, as by everybody who changes several at once: nobody waits in a circle.
    """
    key = column.table.c.id
    rows = sa.select(key).where(among(key, "ids"), is_later(column)).order_by(key).with_for_update()
    return sa.update(column.table).where(key.in_(rows)).values({column: sa.bindparam("seen")})
