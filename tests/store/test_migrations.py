"""The migrations make the tables that the code speaks of, on both databases, and say who can run on them."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from apphub import __version__
from apphub.db import DatabaseAway, migrate, open_database, revisions
from apphub.db.engine import DatabaseUnusable
from apphub.db.tables import metadata
from apphub.db.types import Moment
from apphub.kit.versions import parts


def _same_type(
    context: Any, inspected: Any, declared: Any, seen: sa.types.TypeEngine[Any], wanted: Any
) -> bool | None:
    """Whether a column's type differs; what Alembic cannot tell apart by itself is told here."""
    if isinstance(wanted, Moment):
        return not isinstance(seen, sa.BigInteger | sa.Integer)
    return None


def _difference(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": _same_type})
    found = compare_metadata(context, metadata)
    return [
        change
        for change in found
        if "schema_info" not in str(change) and "alembic_version" not in str(change)
    ]


def _all_there_is(connection: sa.Connection) -> dict[str, Any]:
    """Every table of a database, as the database itself tells of it; and what it refuses."""
    seen = sa.inspect(connection)
    found: dict[str, Any] = {}
    for name in seen.get_table_names():
        columns = {
            one["name"]: (str(one["type"]), one["nullable"], one["default"]) for one in seen.get_columns(name)
        }
        indexes = [
            {**index, "dialect_options": sorted(map(str, index.get("dialect_options", {}).values()))}
            for index in seen.get_indexes(name)
        ]
        parts = indexes, seen.get_unique_constraints(name), seen.get_foreign_keys(name)
        if name != "alembic_version":
            found[name] = columns, *(sorted(map(repr, part)) for part in parts)
    connection.execute(sa.text("insert into audit (at, actor, action, target) values (0, 'a', 'b', 'c')"))
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), connection.begin_nested():
        connection.execute(sa.text("update audit set actor = 'x'"))
    found["schema_info rows"] = connection.execute(sa.text("select oldest from schema_info")).all()
    found["stamp"] = connection.execute(sa.text("select version_num from alembic_version")).all()
    return found


async def test_a_new_database_is_what_the_migrations_make_and_the_code_speaks_of_on_sqlite(
    tmp_path: Path,
) -> None:
    new, migrated = (sa.create_engine(f"sqlite:///{tmp_path / name}") for name in ("new", "migrated"))
    await migrate.upgrade(str(new.url))
    with migrated.begin() as connection:
        revisions.bring_up(connection, None)
    with new.begin() as one, migrated.begin() as other:
        assert _all_there_is(one) == _all_there_is(other)
        assert _difference(one) == _difference(other) == []
    for engine in (new, migrated):
        engine.dispose()


async def test_a_new_database_is_what_the_migrations_make_and_the_code_speaks_of_on_postgresql(
    postgres_url: str,
) -> None:
    engine = create_async_engine(sa.make_url(postgres_url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        new = await connection.run_sync(_all_there_is)
        assert await connection.run_sync(_difference) == []
        for word in ("drop schema public cascade", "create schema public"):
            await connection.execute(sa.text(word))
        await connection.run_sync(revisions.bring_up, None)
        assert await connection.run_sync(_all_there_is) == new
        assert await connection.run_sync(_difference) == []
    await engine.dispose()


async def test_a_database_that_cannot_be_made_whole_is_not_made_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sa.exc.DBAPIError("create trigger", None, sqlite3.OperationalError("disk full"))

    with monkeypatch.context() as broken:
        broken.setattr(migrate, "never_change", fail)
        with pytest.raises(DatabaseUnusable, match="disk full"):
            await open_database(None, tmp_path)
    with sqlite3.connect(tmp_path / "hub.sqlite") as file:
        assert file.execute("select count(*) from sqlite_master").fetchone() == (0,)
    db = await open_database(None, tmp_path)
    await db.close()


async def test_what_differs_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite"
    await migrate.upgrade(f"sqlite:///{path}")
    raw = sqlite3.connect(path)
    raw.execute("alter table users add column surplus text")
    raw.execute("drop index ix_audit_target_id")
    raw.commit()
    raw.close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert len(_difference(connection)) == 2
    engine.dispose()


def test_each_migration_says_which_code_can_still_run_on_it() -> None:
    newest = revisions.scripts().get_revision(migrate.HEAD)
    assert (newest.revision, newest.module.OLDEST) == (migrate.HEAD, migrate.OLDEST)
    assert revisions.scripts().get_current_head() == migrate.HEAD
    for revision in revisions.scripts().walk_revisions():
        oldest = str(revision.module.OLDEST)
        assert len(parts(oldest)) == 3, revision.revision
        assert parts(oldest) <= parts(__version__), revision.revision
        assert revision.doc, revision.revision
        assert not hasattr(revision.module, "downgrade"), "migrations only expand"


@pytest.mark.parametrize("starts", [0, 1])
async def test_a_start_that_has_nothing_to_migrate_does_without_alembic(tmp_path: Path, starts: int) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    for _ in range(starts):
        await migrate.upgrade(url)
    program = (
        "import asyncio, sys; from apphub.db import migrate;"
        f"asyncio.run(migrate.upgrade({url!r})); sys.exit('alembic' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0


def test_migrations_only_expand() -> None:
    for revision in revisions.scripts().walk_revisions():
        text = Path(revision.path).read_text()
        for word in ("drop_table", "drop_column", "rename_table", "delete from", "op.execute"):
            assert word not in text, (revision.revision, word)


async def test_replicas_that_start_together_on_an_empty_database_take_turns(postgres_url: str) -> None:
    # Each is a process of its own, as replicas are: Alembic keeps its context in a global.
    engine = create_async_engine(sa.make_url(postgres_url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.execute(sa.text("drop schema public cascade"))
        await connection.execute(sa.text("create schema public"))
    program = (
        "import asyncio, pathlib, sys; from apphub.db import open_database;"
        "asyncio.run(open_database(sys.argv[1], pathlib.Path('.')))"
    )
    replicas = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, postgres_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    ended = [(await replica.communicate())[1].decode() for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0] * 4, ended
    async with engine.connect() as connection:
        assert await connection.run_sync(_difference) == []
    await engine.dispose()


async def test_a_database_that_a_much_newer_release_has_changed_is_refused_in_words(tmp_path: Path) -> None:
    await (await open_database(None, tmp_path)).close()
    raw = sqlite3.connect(tmp_path / "hub.sqlite")
    raw.execute("update schema_info set oldest = '99.0.0'")
    raw.commit()
    raw.close()
    with pytest.raises(DatabaseUnusable, match=r"needs apphub 99\.0\.0"):
        await open_database(None, tmp_path)


async def test_a_database_that_a_newer_release_has_only_expanded_goes_on_working(tmp_path: Path) -> None:
    await (await open_database(None, tmp_path)).close()
    raw = sqlite3.connect(tmp_path / "hub.sqlite")
    raw.execute("update alembic_version set version_num = '9999'")
    raw.execute("alter table users add column later text")
    raw.commit()
    raw.close()
    db = await open_database(None, tmp_path)
    async with db.read() as tx:
        await tx.execute(sa.select(metadata.tables["users"]))
    await db.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://h/d", "begins with 'mysql'"),
        ("sqlite:////dev/null/x.sqlite", "cannot be used"),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_in_words(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(DatabaseUnusable, match=words):
        await open_database(url, tmp_path)


async def test_a_server_that_is_not_there_may_come(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAway):
        await open_database("postgresql://nobody@127.0.0.1:1/none", tmp_path)


async def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").write_bytes(b"this is no database at all, not in the least" * 100)
    with pytest.raises(DatabaseUnusable, match="cannot be used"):
        await open_database(None, tmp_path)
