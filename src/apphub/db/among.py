"""`column IN (a list that is given)`, as one text for lists of every length.

`IN` with a parameter for each value is another text for each number of them, which has to be
written, parsed and planned anew; here the list is one parameter: an array on PostgreSQL, JSON on SQLite.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class _List(sa.types.TypeDecorator[Any]):
    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return sa.ARRAY(self.item) if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        values = list(value)
        return values if dialect.name == "postgresql" else msgspec.json.encode(values).decode()


class among(sa.ColumnElement[bool]):  # noqa: N801 - it is used as SQLAlchemy's own words are
    """Whether a column is one of the values of a parameter, a collection of numbers or texts.

    Or one of those that a statement finds, and these are few: to PostgreSQL they are an array, for which
    it goes to the column's index, and not a table to be joined.
    """

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, column: sa.ColumnElement[Any], values: str | sa.Select[Any]) -> None:
        self.column = column
        self.values: Any = (
            sa.bindparam(values, type_=_List(column.type)) if isinstance(values, str) else values
        )
        self.found = not isinstance(values, str)


@compiles(among, "postgresql")
def _any_of(element: among, compiler: Any, **how: Any) -> str:
    column, values = (compiler.process(part, **how) for part in (element.column, element.values))
    return f"{column} = ANY ({f'ARRAY({values})' if element.found else values})"


@compiles(among, "sqlite")
def _in_json(element: among, compiler: Any, **how: Any) -> str:
    column, values = (compiler.process(part, **how) for part in (element.column, element.values))
    # Nothing of it is a value: parameters have placeholders.
    return f"{column} IN ({values if element.found else f'SELECT value FROM json_each({values})'})"  # noqa: S608
