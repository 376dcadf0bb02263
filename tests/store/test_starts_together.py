"""Starts that are asked for at the same moment share a transaction, and nothing else: each is judged for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from apphub.db import Database
from apphub.db import tables as t
from apphub.errors import HubError
from apphub.people.model import NoSuchUser
from apphub.profiles.model import NotYours
from apphub.servers.model import Ask, HubFull, Server, ServerKey, TooManyServers
from apphub.settings import Limits
from fakes.people import BY, Town

PEOPLE = [f"user-{number:02}" for number in range(20)]


async def _town(db: Database, **settings: Any) -> Town:
    town = await Town.of(db, **settings)
    await town.add(*PEOPLE, groups={"analysts": PEOPLE[:3], "crowd": PEOPLE[3:]})
    return town


async def _at_once(town: Town, *asked: tuple[ServerKey, Ask]) -> list[Server | BaseException]:
    return await asyncio.gather(*(town.servers.start(BY, *one) for one in asked), return_exceptions=True)


async def _rows(town: Town, *columns: sa.ColumnElement[Any]) -> list[Any]:
    async with town.db.read() as tx:
        return [tuple(row) for row in await tx.execute(sa.select(*columns))]


async def test_who_may_starts_and_who_may_not_is_refused_and_has_written_nothing(db: Database) -> None:
    town = await _town(db)
    closed = Ask(options={"profile": "closed"})
    keys = [ServerKey(name, "lab") for name in (*PEOPLE[:6], "nobody")]
    outcomes = await _at_once(town, *((key, closed) for key in keys))
    started = [outcome for outcome in outcomes if isinstance(outcome, Server)]
    assert [server.key for server in started] == keys[:3]
    assert [type(outcome) for outcome in outcomes[3:]] == [NotYours, NotYours, NotYours, NoSuchUser]
    assert {(server.attempt, server.pending) for server in started} == {(1, "spawn")}
    assert [await town.servers.find(server.key) for server in started] == started
    assert len(await _rows(town, t.servers.c.id)) == 3
    targets = await _rows(town, t.audit.c.target)
    assert sorted(row[0] for row in targets if row[0].startswith("server:")) == sorted(
        server.label for server in started
    )


async def test_a_batch_never_lets_in_more_than_there_may_be(db: Database) -> None:
    town = await _town(db, limits={"active_servers": 7})
    outcomes = await _at_once(town, *((ServerKey(name, ""), Ask()) for name in PEOPLE))
    assert sum(isinstance(outcome, Server) for outcome in outcomes) == 7
    assert sum(isinstance(outcome, HubFull) for outcome in outcomes) == 13
    assert len(await _rows(town, t.servers.c.id)) == 7


async def test_one_person_at_once_is_counted_in_turn(db: Database) -> None:
    town = await _town(db, limits=Limits(named_servers_per_user=2).model_dump())
    keys = [ServerKey("user-00", name) for name in ("a", "b", "c", "", "a")]
    outcomes = await _at_once(town, *((key, Ask()) for key in keys))
    assert isinstance(outcomes[2], TooManyServers)
    servers = [outcomes[number] for number in (0, 1, 3, 4)]
    assert [server.key.name for server in servers if isinstance(server, Server)] == ["a", "b", "", "a"]
    # The same server twice is one start.
    assert servers[0] == servers[3]
    assert len(await _rows(town, t.servers.c.id)) == 3


async def test_a_crowd_at_once_takes_its_turns_like_one_after_the_other(db: Database) -> None:
    town = await _town(db)
    await _at_once(town, *((ServerKey(name, ""), Ask()) for name in PEOPLE[::-1]))
    names, c = t.users.c.name, t.servers.c
    line = sa.select(names).join(t.servers, c.user_id == t.users.c.id).order_by(c.turn, c.group_turn, c.id)
    async with db.read() as tx:
        found = (await tx.execute(line)).scalars()
    # Three analysts among seventeen of the crowd: their group's turns come as often as the crowd's.
    assert {name for name in found if name in PEOPLE[:3]} == set(found[:7]) & set(PEOPLE[:3])


async def test_a_fault_in_one_start_leaves_the_others_alone(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await _town(db)
    check = town.admission.check

    def fault(catalogue: Any, person: Any, offer: Any) -> None:
        if person.name == "user-05":
            raise ZeroDivisionError
        check(catalogue, person, offer)

    monkeypatch.setattr(town.admission, "check", fault)
    outcomes = await _at_once(town, *((ServerKey(name, ""), Ask()) for name in PEOPLE))
    assert isinstance(outcomes[5], ZeroDivisionError)
    assert not any(isinstance(outcome, HubError) for outcome in outcomes)
    attempts = await _rows(town, t.servers.c.attempt)
    assert attempts == [(1,)] * 19


async def test_a_start_within_a_larger_transaction_is_undone_with_it(db: Database) -> None:
    town = await _town(db)

    async def start_and_fail() -> None:
        async with db.as_one():
            await town.servers.start(BY, ServerKey("user-00", ""), Ask())
            raise LookupError

    with pytest.raises(LookupError):
        await start_and_fail()
    assert await _rows(town, t.servers.c.id) == []
