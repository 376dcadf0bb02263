"""When people, servers and tokens were last active: written together, each for itself, and only ever forward."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apphub.access import store as access_store
from apphub.access.actions import Access
from apphub.db import Database, Tx
from apphub.errors import Invalid
from apphub.kit import clock
from apphub.people.model import NoSuchUser
from apphub.servers import seen
from apphub.servers.model import Ask, ServerKey
from fakes.people import BY, Town

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PEOPLE = [f"user-{number:02}" for number in range(30)]


@pytest.fixture
async def town(db: Database) -> Town:
    town = await Town.of(db)
    await town.add(*PEOPLE)
    for name in PEOPLE[:3]:
        await town.servers.create(BY, ServerKey(name, "lab"), Ask())
    return town


async def _server(town: Town, name: str) -> datetime | None:
    server = await town.servers.find(ServerKey(name, "lab"))
    assert server is not None
    return server.last_activity


async def _person(town: Town, name: str) -> datetime | None:
    return (await town.people.person(name)).last_activity


async def test_what_is_told_at_one_moment_is_one_transaction(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    find = seen.find_ids

    async def counting(tx: Tx, people: Collection[str], servers: Collection[str]) -> Any:
        batches.append(len(people))
        return await find(tx, people, servers)

    monkeypatch.setattr(seen, "find_ids", counting)
    await asyncio.gather(*(town.servers.note_activity(name, user=NOON, servers={}) for name in PEOPLE))
    assert batches == [len(PEOPLE)]
    assert [await _person(town, name) for name in PEOPLE] == [NOON] * len(PEOPLE)


async def test_each_of_a_batch_is_judged_for_itself(town: Town) -> None:
    first, second, third, other = PEOPLE[:4]
    told = [
        (first, None, {"lab": NOON}),
        ("nobody", NOON, {}),
        (second, NOON, {"lab": NOON, "none": NOON}),
        (other, None, {"lab": NOON}),  # a name that only others have
        (third, NOON + timedelta(hours=1), {"lab": NOON}),
    ]
    outcomes = await asyncio.gather(
        *(town.servers.note_activity(name, user=user, servers=servers) for name, user, servers in told),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), NoSuchUser, Invalid, Invalid, type(None)]
    assert [await _server(town, name) for name in (first, second, third)] == [NOON, None, NOON]
    people = [await _person(town, name) for name in (first, second, other, third)]
    assert people == [NOON, None, None, NOON + timedelta(hours=1)]


async def test_of_what_is_told_twice_the_later_counts_in_whatever_order(town: Town) -> None:
    name = PEOPLE[0]
    hours = [3, 1, 5, 2]
    for some in (hours[:2], hours[2:], hours):
        await asyncio.gather(
            *(
                town.servers.note_activity(name, user=None, servers={"lab": NOON + timedelta(hours=hour)})
                for hour in some
            )
        )
        latest = NOON + timedelta(hours=3 if some == hours[:2] else 5)
        assert await _server(town, name) == await _person(town, name) == latest


async def test_uses_of_credentials_are_one_transaction_and_never_go_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [
        (
            await town.access.create_token(await town.actor(name), BY, name, scopes=None, note="", life=None)
        ).secret
        for name in PEOPLE
    ]
    batches: list[int] = []
    note = access_store.note_uses

    async def counting(tx: Tx, tokens: Collection[int], people: Collection[int], now: datetime) -> None:
        batches.append(len(tokens))
        await note(tx, tokens, people, now)

    monkeypatch.setattr(access_store, "note_uses", counting)
    for _ in range(2):  # the second time the use is noted already
        await asyncio.gather(*(town.access.by_token(secret) for secret in secrets))
    assert sum(batches) == len(PEOPLE)
    assert len(batches) < len(PEOPLE) / 2
    [token] = await town.access.tokens_of(PEOPLE[0])
    used = token.last_used
    assert used is not None
    # A replica whose clock is behind hears of it later.
    monkeypatch.setattr(clock, "now", lambda: used - timedelta(minutes=5))
    assert await Access(town.db).by_token(secrets[0]) is not None
    assert (await town.access.tokens_of(PEOPLE[0]))[0].last_used == used
