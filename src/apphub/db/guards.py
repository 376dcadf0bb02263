"""What the database itself refuses, whatever code asks for it."""

from __future__ import annotations

import sqlalchemy as sa


def never_change(connection: sa.Connection, table: str) -> None:
    """Let rows of this table be inserted and deleted, and never changed.

    The table's name is ours: it is no text from outside.
    """
    words = f"rows of {table} are never changed"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION {table}_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{words}'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_never_changed()"
    )
