"""What many tasks ask for at once is asked of the database in one go, and each has its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from apphub.db import Database, DatabaseAway
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.together import Together


async def test_what_is_asked_meanwhile_is_asked_in_one_go(db: Database) -> None:
    rounds: list[list[int]] = []

    async def double(asks: Sequence[int]) -> list[int]:
        rounds.append(list(asks))
        await asyncio.sleep(0.01)
        return [2 * ask for ask in asks]

    doubled = Together(db, double, most=4)
    first = asyncio.create_task(doubled(1))
    await asyncio.sleep(0.001)
    rest = [asyncio.create_task(doubled(number)) for number in range(2, 9)]
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8, 10, 12, 14, 16]
    assert rounds == [[1], [2, 3, 4, 5], [6, 7, 8]]


async def test_a_fault_is_the_error_of_whoever_asked_for_it(db: Database) -> None:
    async def invert(asks: Sequence[int]) -> list[float]:
        await asyncio.sleep(0)
        return [1 / ask for ask in asks]

    inverted = Together(db, invert)
    answers = await asyncio.gather(*(inverted(number) for number in (1, 0, 2)), return_exceptions=True)
    assert [answers[0], answers[2]] == [1, 0.5]
    assert isinstance(answers[1], ZeroDivisionError)


async def test_nobody_is_asked_one_by_one_while_the_database_is_away(db: Database) -> None:
    tries = 0

    async def fail(_: Sequence[int]) -> list[int]:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise DatabaseAway

    asked = Together(db, fail)
    answers = await asyncio.gather(*(asked(number) for number in range(9)), return_exceptions=True)
    assert all(isinstance(answer, DatabaseAway) for answer in answers)
    assert tries == 1


async def test_whoever_gives_up_holds_nobody_up(db: Database) -> None:
    release = asyncio.Event()
    asked: list[int] = []

    async def work(asks: Sequence[int]) -> list[int]:
        asked.extend(asks)
        await release.wait()
        return list(asks)

    same = Together(db, work)
    patient, impatient = (asyncio.create_task(same(number)) for number in (1, 2))
    late = asyncio.create_task(same(3))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    late.cancel()
    release.set()
    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await same(4) == 4
    assert 2 not in asked  # given up before it was asked


async def test_what_is_asked_in_a_transaction_is_undone_with_it_and_nobody_elses_is(db: Database) -> None:
    async def insert(names: Sequence[str]) -> list[int]:
        async with db.write() as tx:
            add = sa.insert(t.groups).returning(t.groups.c.id)
            values = [{"name": name, "properties": {}} for name in names]
            return (await tx.execute(add, values)).scalars()

    inserted = Together(db, insert)
    within = asyncio.Event()

    async def fail_in_a_transaction() -> None:
        async with db.as_one():
            await inserted("undone")
            within.set()
            await asyncio.sleep(0.01)
            await inserted("undone too")
            raise LookupError

    failing = asyncio.create_task(fail_in_a_transaction())
    await within.wait()
    await asyncio.gather(inserted("kept"), inserted("kept too"))
    with pytest.raises(LookupError):
        await failing
    async with db.read() as tx:
        assert sorted((await tx.execute(sa.select(t.groups.c.name))).scalars()) == ["kept", "kept too"]


@pytest.mark.parametrize("count", [0, 1, 3, 500])
async def test_a_list_of_any_length_is_one_text(db: Database, count: int) -> None:
    names = [f"g{number:03}" for number in range(600)]
    async with db.write() as tx:
        await tx.execute(sa.insert(t.groups), [{"name": name, "properties": {}} for name in names])
    of_names = sa.select(t.groups.c.name).where(among(t.groups.c.name, "names")).order_by(t.groups.c.name)
    of_ids = sa.select(t.groups.c.id).where(among(t.groups.c.id, "ids")).order_by(t.groups.c.id)
    for _ in range(2):  # written by SQLAlchemy, and as it was kept
        async with db.read() as tx:
            assert (await tx.execute(of_names, {"names": names[:count]})).scalars() == names[:count]
            ids = (await tx.execute(of_ids, {"ids": {*range(1, count + 1)}})).scalars()
            assert ids == list(range(1, count + 1))


async def test_sets_of_parameters_return_what_each_changed(db: Database) -> None:
    add = sa.insert(t.groups).returning(t.groups.c.name)
    rename = sa.update(t.groups).where(t.groups.c.name == sa.bindparam("old")).returning(t.groups.c.name)
    async with db.write() as tx:
        assert (await tx.execute(add, [{"name": name, "properties": {}} for name in "abc"])).scalars() == [
            "a",
            "b",
            "c",
        ]
        sets = [{"old": name, "name": f"{name}2"} for name in ("a", "missing", "c")]
        assert (await tx.execute(rename, sets)).scalars() == ["a2", "c2"]
