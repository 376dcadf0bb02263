"""Bring the tables up to date when a hub starts: a new database gets them as they are, an older one by Alembic.

Migrations only expand: they add tables and columns that older code may ignore, so that hubs
of two releases can run on one database. Each says (`OLDEST`) which code can still run on it;
a hub that is older than that refuses to start. Replicas that start together take turns by a
lock of the database's own.
"""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from apphub import __version__
from apphub.db.engine import DatabaseAway, DatabaseUnusable
from apphub.db.guards import never_change
from apphub.db.refusals import told
from apphub.db.tables import metadata
from apphub.kit.versions import parts

#: Number of the advisory lock that migrating replicas take on PostgreSQL.
LOCK = 4_817_220_931
#: The newest revision in `migrations/versions`, and the oldest release that can run on what it leaves.
HEAD, OLDEST = "0001", "0.1.0"


def _stamped(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("select version_num from alembic_version")).scalar()


def _is_new(connection: sa.Connection) -> bool:
    return metadata.tables.keys().isdisjoint(sa.inspect(connection).get_table_names())


def note_oldest(connection: sa.Connection, oldest: str) -> None:
    """Say which release can still run on the database."""
    connection.execute(sa.text("create table if not exists schema_info (oldest text not null)"))
    connection.execute(sa.text("delete from schema_info"))
    connection.execute(sa.text("insert into schema_info (oldest) values (:oldest)"), {"oldest": oldest})


def _make(connection: sa.Connection) -> None:
    """All tables at once, without Alembic: nine megabytes, and a quarter of a second of the first start."""
    metadata.create_all(connection, checkfirst=False)
    never_change(connection, "audit")
    connection.execute(sa.text("create table alembic_version (version_num varchar(32) not null primary key)"))
    connection.execute(sa.text("insert into alembic_version (version_num) values (:head)"), {"head": HEAD})
    note_oldest(connection, OLDEST)


def _check_oldest(connection: sa.Connection) -> None:
    """Refuse a database that a newer release has changed beyond this one."""
    if not sa.inspect(connection).has_table("schema_info"):
        return
    oldest = connection.execute(sa.text("select oldest from schema_info")).scalar()
    if oldest and parts(oldest) > parts(__version__):
        raise DatabaseUnusable(
            f"The database needs apphub {oldest} or newer; this is {__version__}.",
            "Start the newer release, or restore the copy made before the upgrade.",
        )


def _upgrade(connection: sa.Connection) -> None:
    _check_oldest(connection)
    stamped = _stamped(connection)
    if stamped is None and _is_new(connection):
        _make(connection)
    elif stamped != HEAD:
        from apphub.db import revisions

        revisions.bring_up(connection, stamped)


def _upgrade_sqlite(url: str) -> None:
    # By itself the driver begins no transaction for tables: each would be committed alone, and take a disk's time.
    engine = sa.create_engine(url, connect_args={"timeout": 30, "isolation_level": None})
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
    except sa.exc.DBAPIError as error:
        raise DatabaseUnusable(
            f"The database {url.partition(':///')[2]} cannot be used: {error.orig}.",
            "Look at its owner, mode and disk.",
        ) from error
    finally:
        engine.dispose()


async def _upgrade_postgres(url: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            await connection.run_sync(_upgrade)
    except OSError as error:
        raise DatabaseAway from error
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(told(error), DatabaseAway):
            raise DatabaseAway from error.orig
        raise DatabaseUnusable(f"The database cannot be used: {error.orig}.", "Look at its URL.") from error
    finally:
        await engine.dispose()


async def upgrade(url: str) -> None:
    """Bring the database at this SQLAlchemy URL up to date. Raises `DatabaseUnusable` in words, or `DatabaseAway`."""
    if url.startswith("sqlite"):
        await asyncio.to_thread(_upgrade_sqlite, url)
    else:
        await _upgrade_postgres(url)
