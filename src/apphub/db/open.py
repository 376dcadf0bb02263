"""Open the database that the settings name, with its tables brought up to date."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from apphub.db.engine import Database, DatabaseUnusable
from apphub.db.migrate import upgrade
from apphub.db.sqlite import SqliteDatabase


async def open_database(url: str | None, data_dir: Path) -> Database:
    """Open PostgreSQL by its URL, or SQLite in the data folder; tables are brought up to date.

    Raises `DatabaseUnusable` in words; `DatabaseAway` where it may be there in a moment.
    """
    if url is None or url.startswith("sqlite"):
        path = data_dir / "hub.sqlite" if url is None else Path(url.partition(":///")[2])
        await upgrade(f"sqlite:///{path}")
        return SqliteDatabase(path)
    if not url.startswith("postgres"):
        raise DatabaseUnusable(
            f"The database URL begins with {url.partition(':')[0]!r}.", "Use postgresql://… or leave it out."
        )
    from apphub.db.postgres import PostgresDatabase  # and its driver, which SQLite has no use for

    await upgrade(_spelled(url, "postgresql+asyncpg", "sslmode", "ssl"))
    return await PostgresDatabase.open(_spelled(url, "postgresql", "ssl", "sslmode"))


def _spelled(url: str, driver: str, old: str, new: str) -> str:
    """The URL as SQLAlchemy wants it, or as the driver itself (and PostgreSQL's own programs) read it."""
    found = sa.make_url(url).set(drivername=driver)
    query = {new if name == old else name: value for name, value in found.query.items()}
    return found.set(query=query).render_as_string(hide_password=False)
