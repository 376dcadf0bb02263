"""Writers that come together share a commit, and nothing else: each keeps or loses its own."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from apphub.db import Database, open_database, sqlite
from apphub.db import tables as t
from apphub.db.changes import DUE, RIGHTS
from apphub.kit import clock


async def _add(db: Database, name: str) -> None:
    async with db.write() as tx:
        await tx.execute(sa.insert(t.users).values(name=name, created=clock.now()))
        tx.changed(RIGHTS)


async def _names(db: Database) -> set[str]:
    async with db.read() as tx:
        return set((await tx.execute(sa.select(t.users.c.name))).scalars())


async def test_many_writers_at_once_all_keep_what_they_wrote(db: Database) -> None:
    await asyncio.gather(*(_add(db, f"u{number}") for number in range(100)))
    assert await _names(db) == {f"u{number}" for number in range(100)}


async def test_writers_that_come_again_a_little_apart_still_share_commits(tmp_path: Path) -> None:
    db = await open_database(None, tmp_path)

    async def writer(number: int) -> None:
        for again in range(10):
            for _ in range(number):  # as requests come: each in a turn of its own
                await asyncio.sleep(0)
            await _add(db, f"u{number}-{again}")

    before = db.changes.count
    await asyncio.gather(*map(writer, range(8)))
    assert db.changes.count - before < 20  # 10 where all always come together
    assert len(await _names(db)) == 80
    await db.close()


async def test_a_writer_who_is_alone_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "COMPANY", 3600)
    db = await open_database(None, tmp_path)
    async with asyncio.timeout(30):
        for number in range(10):
            await _add(db, f"u{number}")
    await db.close()


async def test_a_writer_that_fails_undoes_its_own_and_nobody_elses(db: Database) -> None:
    async def failing(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(sa.insert(t.users).values(name=f"bad{number}", created=clock.now()))
            raise LookupError(number)

    writers = [_add(db, f"good{number}") if number % 3 else failing(number) for number in range(30)]
    results = await asyncio.gather(*writers, return_exceptions=True)
    assert [str(error) for error in results if error is not None] == [str(n) for n in range(0, 30, 3)]
    assert await _names(db) == {f"good{number}" for number in range(30) if number % 3}


async def test_a_statement_that_fails_leaves_the_database_usable(db: Database) -> None:
    await _add(db, "ada")
    results = await asyncio.gather(
        _add(db, "before"), _add(db, "ada"), _add(db, "after"), return_exceptions=True
    )
    assert [type(result) is None.__class__ for result in results] == [True, False, True]
    await _add(db, "later")
    assert await _names(db) == {"ada", "before", "after", "later"}


async def test_nobody_sees_a_write_before_its_block_has_ended(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute(sa.insert(t.users).values(name="ada", created=clock.now()))
        assert await _names(db) == set()
    assert await _names(db) == {"ada"}


async def test_listeners_hear_of_a_change_after_it_can_be_read_and_of_none_that_failed(db: Database) -> None:
    async def failing() -> None:
        async with db.write() as tx:
            tx.changed(RIGHTS)
            raise LookupError

    with db.changes.listen(RIGHTS) as news, db.changes.listen(DUE) as other:
        with pytest.raises(LookupError):
            await failing()
        assert not news.is_set()
        before = db.changes.rights.count
        writing = asyncio.create_task(_add(db, "ada"))
        await asyncio.wait_for(news.wait(), 10)
        assert await _names(db) == {"ada"}
        assert db.changes.rights.count > before
        assert not other.is_set()
        await writing


async def test_a_writer_that_gives_up_while_its_write_is_committed_is_heard_of_all_the_same(
    tmp_path: Path,
) -> None:
    # A revocation whose client hangs up must still end what is remembered of the token.
    db = await open_database(None, tmp_path)
    before = db.changes.rights.count
    with db.changes.listen(RIGHTS) as news:
        writing = asyncio.create_task(_add(db, "ada"))
        await asyncio.sleep(0)  # it has written, and waits for the commit
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await asyncio.wait_for(news.wait(), 10)
    assert await _names(db) == {"ada"}
    assert db.changes.rights.count > before
    await db.close()


async def test_a_writer_that_gives_up_in_the_queue_writes_nothing_and_holds_up_nobody(db: Database) -> None:
    async with db.write() as tx:
        queued = asyncio.create_task(_add(db, "queued"))
        await asyncio.sleep(0)
        queued.cancel()
        await asyncio.gather(queued, return_exceptions=True)
        await tx.execute(sa.insert(t.users).values(name="ada", created=clock.now()))
    await _add(db, "bob")
    assert await _names(db) == {"ada", "bob"}


async def test_a_commit_that_fails_is_told_to_every_writer_of_it_and_to_no_other(tmp_path: Path) -> None:
    db = await open_database(None, tmp_path)

    async def orphan() -> None:
        async with db.write() as tx:  # the check of foreign keys waits for the commit, which fails
            await tx.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
            await tx.execute(
                sa.insert(t.servers).values(user_id=999, name="x", created=clock.now()),
            )

    heard = db.changes.rights.count
    results = await asyncio.gather(_add(db, "ada"), orphan(), _add(db, "bob"), return_exceptions=True)
    assert [type(result) for result in results] == [sqlite3.IntegrityError] * 3
    assert await _names(db) == set()
    assert db.changes.rights.count == heard
    await _add(db, "carl")
    assert await _names(db) == {"carl"}
    await db.close()


async def test_others_have_their_turn_while_many_rows_are_written_all_or_none(db: Database) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def write(fails: bool) -> int:
        rows = [{"name": f"u{number}", "created": clock.now()} for number in range(2000)]
        before = turns
        async with db.write() as tx:
            await tx.execute(sa.insert(t.users), rows)
            had = turns - before
            assert await _names(db) == set()
            if fails:
                raise LookupError
        return had

    others = asyncio.create_task(take_turns())
    with pytest.raises(LookupError):
        await write(fails=True)
    assert await _names(db) == set()
    # SQLite works here, 200 rows at a time; PostgreSQL elsewhere, and is but waited for.
    assert await write(fails=False) >= (10 if db.exclusive else 2)
    assert len(await _names(db)) == 2000
    others.cancel()


_LATE = sa.insert(t.users)


async def test_rows_for_later_come_with_the_commit_and_go_with_their_writer(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(_LATE, {"name": f"first{number}", "created": clock.now()})
            for again in range(2):
                tx.later(_LATE, {"name": f"late{number}-{again}", "created": clock.now()})
            if number % 3 == 0:
                raise LookupError(number)

    results = await asyncio.gather(*map(write, range(30)), return_exceptions=True)
    assert [str(error) for error in results if error is not None] == [str(n) for n in range(0, 30, 3)]
    kept = [number for number in range(30) if number % 3]
    assert await _names(db) == {f"first{n}" for n in kept} | {f"late{n}-{k}" for n in kept for k in range(2)}


async def test_many_rows_for_later_let_others_have_their_turn(tmp_path: Path) -> None:
    db = await open_database(None, tmp_path)
    turns = 0

    async def write() -> None:
        async with db.write() as tx:
            for number in range(2000):
                tx.later(_LATE, {"name": f"u{number}", "created": clock.now()})

    writing = asyncio.create_task(write())
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    await writing
    assert len(await _names(db)) == 2000
    assert turns >= 10
    await db.close()


async def test_a_row_for_later_that_is_refused_is_told_and_leaves_the_database_usable(db: Database) -> None:
    async def write(name: str) -> None:
        async with db.write() as tx:
            tx.later(_LATE, {"name": name, "created": clock.now()})

    await _add(db, "ada")
    for refused in ("ada", "\ud800"):  # taken, and no text
        async with asyncio.timeout(30):
            with pytest.raises(Exception, match=r"UNIQUE|clash|surrogates"):
                await write(refused)
    await write("bob")
    assert await _names(db) == {"ada", "bob"}


async def test_nothing_is_left_for_later_where_nothing_is_committed(db: Database) -> None:
    async with db.read() as tx:
        with pytest.raises(AssertionError):
            tx.later(_LATE, {"name": "ada", "created": clock.now()})
