"""What all tables are made with."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from apphub.db.types import Id

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_WHERE = "where"


def table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    """A table with a key that never comes back."""
    key = sa.Column("id", Id, primary_key=True, autoincrement=True)
    return sa.Table(name, metadata, key, *columns, sqlite_autoincrement=True)


def of(target: str, name: str, *, nullable: bool = False, index: bool = True) -> sa.Column[int]:
    """A column that names a row of another table, with which its own row goes.

    It needs no index of its own where a unique constraint of its table begins with it.
    """
    return sa.Column(
        name, Id, sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable, index=index
    )


def index_of_some(
    name: str, *columns: sa.Column[Any], where: sa.ColumnElement[Any] | sa.TextClause, unique: bool = False
) -> None:
    """An index of just the rows of which `where` is true."""
    sa.Index(name, *columns, unique=unique, sqlite_where=where, info={_WHERE: where})


@sa.event.listens_for(metadata, "before_create")
def _tell_postgres(_: sa.MetaData, connection: sa.Connection, **__: Any) -> None:
    """What an index leaves out. Told earlier, it would have hubs on SQLite load PostgreSQL's dialect, two megabytes."""
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            if _WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = index.info[_WHERE]


def source() -> sa.Column[str]:
    """Who declared the row: `settings` for the file, `api` for everybody else."""
    return sa.Column("source", sa.Text, nullable=False, server_default="api")
