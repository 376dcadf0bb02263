"""A statement that is run again goes to the driver by itself: what it means must not change by that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from apphub.access.actor import EVERYTHING, Reach
from apphub.access.scopes import Filter
from apphub.db import Database, Tx, prepared
from apphub.db import tables as t
from apphub.db.prepared import Statements
from apphub.errors import Conflict
from apphub.kit import clock
from apphub.people import groups
from apphub.people.model import Source

_ADD = sa.insert(t.users)
_ADD_AND_TELL = sa.insert(t.groups).returning(t.groups.c.id)
_SET = sa.update(t.users).where(t.users.c.name == sa.bindparam("who")).values(admin=sa.bindparam("admin"))
_DROP = sa.delete(t.users).where(t.users.c.name.in_(sa.bindparam("names", expanding=True)))
_SOME = (
    sa.select(t.users.c.name, t.users.c.admin, t.users.c.created, t.users.c.last_activity, t.users.c.info)
    .where(t.users.c.name.in_(sa.bindparam("names", expanding=True)), t.users.c.source == "api")
    .order_by(t.users.c.name)
    .limit(sa.bindparam("most"))
)


async def _add(tx: Tx, *names: str, **values: Any) -> None:
    rows = [{"name": name, "created": clock.now(), "info": None} | values for name in names]
    await tx.execute(_ADD, rows)


async def _fail(db: Database, name: str) -> None:
    async with db.write() as tx:
        await _add(tx, name)
        raise ZeroDivisionError


async def test_every_run_of_a_statement_gives_the_same_values(db: Database) -> None:
    seen = clock.now() - timedelta(days=1)
    async with db.write() as tx:
        await _add(tx, "ada", info={"a": [1, None, "é"]}, last_activity=seen, admin=True)
    async with db.write() as tx:
        await _add(tx, "bob", last_activity=None, admin=False)
    found = []
    for _ in range(4):
        async with db.read() as tx:
            found.append([list(row) for row in await tx.execute(_SOME, {"names": ["bob", "ada"], "most": 9})])
    (ada, bob), *others = found
    assert all(other == [ada, bob] for other in others)
    assert ada[:2] + ada[3:] == ["ada", True, seen, {"a": [1, None, "é"]}]
    assert bob[:2] + bob[3:] == ["bob", False, None, None]
    assert ada[1] is True


@pytest.mark.parametrize("given", [[], ["u1"], ["u1", "u2", "none"], [f"u{n}" for n in range(90)]])
async def test_lists_of_any_length_are_compared_with_in_full(db: Database, given: list[str]) -> None:
    async with db.write() as tx:
        await _add(tx, *(f"u{n}" for n in range(100)))
    for _ in range(3):
        async with db.read() as tx:
            found = (await tx.execute(_SOME, {"names": given, "most": 1000})).scalars()
        assert sorted(found) == sorted(set(given) - {"none"})


async def test_values_are_never_read_as_statements(db: Database) -> None:
    evil = "x'); delete from users; --"
    for name in ("ada", "bob", evil):
        async with db.write() as tx:
            await _add(tx, name)
    for _ in range(3):
        async with db.read() as tx:
            assert (await tx.execute(_SOME, {"names": [evil, "ada"], "most": 5})).scalars() == ["ada", evil]


async def test_a_change_says_how_many_rows_it_changed_each_time(db: Database) -> None:
    async with db.write() as tx:
        await _add(tx, "ada", "bob")
    for admin in (True, False, True):
        async with db.write() as tx:
            assert (await tx.execute(_SET, {"who": "ada", "admin": admin})).rowcount == 1
            assert (await tx.execute(_SET, {"who": "nobody", "admin": admin})).rowcount == 0
    for names, gone in ((["nobody"], 0), (["ada", "bob"], 2), (["ada", "bob"], 0)):
        async with db.write() as tx:
            assert (await tx.execute(_DROP, {"names": names})).rowcount == gone


def test_statements_made_anew_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST_STATEMENTS", 5)
    statements = Statements(sqlite.dialect())
    for number in range(20):
        statement = sa.select(t.users.c.id).where(t.users.c.name == f"u{number}")
        found = [statements.find(statement, {}) for _ in range(3)]
        assert found[0] is None
        assert found[1] is found[2] is not None
        assert found[1].arguments({}) == [f"u{number}"]
        assert len(statements) <= 5


async def test_new_keys_are_told_each_time(db: Database) -> None:
    keys = []
    for number in range(4):
        async with db.write() as tx:
            values = {"name": f"g{number}", "properties": {"n": number}}
            keys.append((await tx.execute(_ADD_AND_TELL, values)).scalar_one())
    assert keys == sorted(set(keys))
    async with db.read() as tx:
        assert [group.id for group in await groups.list_groups(tx, EVERYTHING, offset=0, limit=9)] == keys


async def test_new_keys_of_many_rows_are_told_each_time(db: Database) -> None:
    names = [[f"g{number}{letter}" for letter in "abc"] for number in range(3)]
    for some in names:
        async with db.write() as tx:
            rows = [{"name": name, "properties": {}} for name in some]
            keys = (await tx.execute(_ADD_AND_TELL, rows)).scalars()
            found = [await groups.get_group(tx, name) for name in some]
        assert keys == [group.id for group in found]


async def test_what_else_an_insert_returns_is_what_the_database_says(db: Database) -> None:
    told = sa.insert(t.groups).returning(t.groups.c.id, t.groups.c.source)
    for number in range(3):
        async with db.write() as tx:
            row = (await tx.execute(told, {"name": f"g{number}", "properties": {}})).one()
            group = await groups.get_group(tx, f"g{number}")
        assert tuple(row) == (group.id, "api")


async def test_what_a_failed_transaction_did_is_undone_however_often_it_ran_before(db: Database) -> None:
    for number in range(4):
        with pytest.raises(ZeroDivisionError):
            await _fail(db, f"lost{number}")
        async with db.write() as tx:
            await _add(tx, f"kept{number}")
    async with db.read() as tx:
        names = (await tx.execute(sa.select(t.users.c.name).order_by(t.users.c.id))).scalars()
    assert names == ["kept0", "kept1", "kept2", "kept3"]


async def test_a_clash_is_told_as_a_conflict_each_time(db: Database) -> None:
    async with db.write() as tx:
        await _add(tx, "ada")
    for _ in range(3):
        with pytest.raises(Conflict):
            async with db.write() as tx:
                await _add(tx, "ada")


async def test_a_list_narrowed_to_some_groups_shows_no_others_each_time(db: Database) -> None:
    async with db.write() as tx:
        for name in ("a", "b", "c"):
            await groups.insert_group(tx, name, {}, Source.API)
    for names in (["a"], ["a", "c"], [], ["b", "nothing"]):
        reach = Reach((frozenset(Filter("group", name) for name in names),))
        async with db.read() as tx:
            found = await groups.list_groups(tx, reach, offset=0, limit=9)
            assert [group.name for group in found] == sorted(set(names) & {"a", "b", "c"})
            assert await groups.count_groups(tx, reach) == len(found)
