"""Both databases for every test here: what holds on one holds on the other.

PostgreSQL is one server per test run with a database per test, copied from a template whose
tables are there (see tests/databases.py).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from apphub.db import Database, open_database
from apphub.db.migrate import upgrade
from databases import admin, named, new_name, server
from fakes.people import Town

_TEMPLATE = "apphub_template"
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_RELOAD = "select pg_reload_conf()"


async def _make_template(url: str) -> None:
    await admin(url, f"drop database if exists {_TEMPLATE} with (force)", f"create database {_TEMPLATE}")
    await upgrade(
        sa.make_url(named(url, _TEMPLATE)).set(drivername="postgresql+asyncpg").render_as_string(False)
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server that has the template."""
    with server() as (url, ours):
        if ours is not None:
            # Nothing here outlives the run: no test waits for the disk. (What it is to lose nothing is
            # tested elsewhere, on a server of its own.)
            asyncio.run(admin(url, *(f"alter system set {name} = off" for name in _DURABLE), _RELOAD))
        asyncio.run(_make_template(url))
        yield url


@pytest.fixture
async def postgres_url(postgres: str) -> AsyncGenerator[str]:
    """A PostgreSQL database of the test's own, with all tables, and nothing in them."""
    name = new_name()
    await admin(postgres, f"create database {name} template {_TEMPLATE}")
    yield named(postgres, name)
    await admin(postgres, f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """What the settings would say: nothing for SQLite in the data folder, or a URL."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that has all tables, and nothing in them."""
    path = tmp_path_factory.mktemp("sqlite") / "hub.sqlite"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def db(database_url: str | None, sqlite_template: Path, tmp_path: Path) -> AsyncGenerator[Database]:
    """An open database with its tables."""
    if database_url is None:
        shutil.copy(sqlite_template, tmp_path / "hub.sqlite")
    database = await open_database(database_url, tmp_path)
    yield database
    await database.close()


@pytest.fixture
async def town(db: Database) -> Town:
    """A hub's domains over the database, with the built-in roles and an administrator."""
    return await Town.of(db)
