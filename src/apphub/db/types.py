"""Column types and JSON aggregation that mean the same on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC: exact, ordered, and the same number in both databases."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The moment that `to_micros` counted."""
    return _EPOCH + timedelta(microseconds=value)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def encode_json(value: Any) -> str:
    """JSON as text, the way the database drivers want it."""
    return msgspec.json.encode(value).decode()


def _json_text(value: Any) -> str | None:
    return None if value is None else encode_json(value)


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since 1970: neither database's own type survives a round trip
    through JSON aggregation unchanged, an integer does.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return _micros(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:
        return _moment(value)

    # SQLAlchemy would wrap each twice, for every value of every row.

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], int | None]:
        return _micros

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        return _moment


class _Json(sa.types.TypeDecorator[Any]):
    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name != "postgresql":
            return sa.JSON(none_as_null=True)
        # Loaded by hubs on PostgreSQL alone: it takes two megabytes.
        from sqlalchemy.dialects.postgresql import JSONB

        return JSONB(none_as_null=True)

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], str | None]:
        return _json_text  # as it is for times


#: JSON values; binary on PostgreSQL.
Json = _Json(none_as_null=True)

#: Keys: 64 bits on PostgreSQL; SQLite's own row ids must be declared INTEGER.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class json_row(GenericFunction[Any]):  # noqa: N801 - named as it reads in a statement
    """A JSON array of the given expressions."""

    type = Json
    inherit_cache = True


class json_rows(GenericFunction[Any]):  # noqa: N801
    """All values of a group as one JSON array; `[]` for none."""

    type = Json
    inherit_cache = True


class as_json(GenericFunction[Any]):  # noqa: N801
    """A JSON column inside `json_row`: as the value it is, not as quoted text."""

    type = Json
    inherit_cache = True


@compiles(json_row, "sqlite")
def _row_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **kw)})"


@compiles(json_row, "postgresql")
def _row_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **kw)})"


@compiles(json_rows, "sqlite")
def _rows_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kw)})"


@compiles(json_rows, "postgresql")
def _rows_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"coalesce(json_agg({compiler.process(element.clauses, **kw)}), '[]'::json)"


@compiles(as_json, "sqlite")
def _json_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json({compiler.process(element.clauses, **kw)})"


@compiles(as_json, "postgresql")
def _json_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))
