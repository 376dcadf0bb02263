"""What is remembered of credentials: kept when others' rights change, and never a lie."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apphub.access import store
from apphub.access.actions import Access
from apphub.access.actor import Actor
from apphub.db import Database
from apphub.db.changes import ONE_BY_ONE
from apphub.errors import HubError
from apphub.servers.model import Ask, ServerKey
from apphub.shares import Shares
from apphub.shares.model import With
from fakes.people import BY, Town

NAMES = ("ada", "bob", "carl", "dora")
GROUPS = ("readers", "plain", "friends")
READERS = [{"name": "given-by-group", "scopes": ["read:hub"], "groups": ["readers"]}]


async def _token(town: Town, name: str, **how: Any) -> tuple[str, str]:
    values: dict[str, Any] = {"scopes": None, "note": "", "life": None, **how}
    made = await town.access.create_token(await town.actor(name), BY, name, **values)
    return made.token.wire_id, made.secret


def _said(actor: Actor | None) -> object:
    return actor and (actor.name, actor.admin, actor.groups, [grants.table for grants in actor.rights])


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tokens that have been looked up in the database."""
    found: list[str] = []
    look = store.find_credential

    async def counting(tx: Any, token: str) -> Any:
        found.append(token)
        return await look(tx, token)

    monkeypatch.setattr(store, "find_credential", counting)
    return found


async def test_what_changes_for_one_person_makes_only_theirs_be_looked_up_again(
    db: Database, lookups: list[str]
) -> None:
    town = await Town.of(db, roles=READERS)
    await town.add("ada", "bob")
    root = await town.actor()
    _, ada = await _token(town, "ada")
    _, bob = await _token(town, "bob")
    other, _ = await _token(town, "ada")
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: town.people.add_members(root, BY, "readers", ["ada"]),
        lambda: town.people.remove_members(BY, "readers", ["ada"]),
        lambda: town.access.revoke_token(BY, "ada", other),
    ]
    for secret in (ada, bob):
        await town.access.by_token(secret)
    for change in changes:
        await change()
        lookups.clear()
        for secret in (ada, bob):
            assert await town.access.by_token(secret) is not None
        assert lookups == [ada]


async def test_a_change_of_many_people_at_once_reaches_each_of_them(db: Database) -> None:
    town = await Town.of(db, roles=READERS)
    names = [f"u{number}" for number in range(ONE_BY_ONE + 5)]
    await town.add(*names)
    held = [(await _token(town, name))[1] for name in names]
    root = await town.actor()
    for expected, change in (
        (False, None),
        (True, town.people.add_members(root, BY, "readers", names)),
        (False, town.people.remove_members(BY, "readers", names)),
    ):
        if change is not None:
            await change
        actors = [await town.access.by_token(secret) for secret in held]
        assert [actor is not None and actor.holds("read:hub") for actor in actors] == [expected] * len(names)


async def test_what_changes_while_it_is_looked_up_is_not_remembered_as_it_was(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await Town.of(db, roles=READERS)
    await town.add("ada")
    await town.people.add_members(await town.actor(), BY, "readers", ["ada"])
    _, secret = await _token(town, "ada")
    look = store.find_credential

    async def overtaken(tx: Any, token: str) -> Any:
        found = await look(tx, token)
        await town.people.remove_members(BY, "readers", ["ada"])
        return found

    monkeypatch.setattr(store, "find_credential", overtaken)
    await town.access.by_token(secret)
    monkeypatch.setattr(store, "find_credential", look)
    actor = await town.access.by_token(secret)
    assert actor is not None
    assert not actor.holds("read:hub")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_done_nobody_is_remembered_as_more_or_less_than_they_are(
    db: Database, seed: int
) -> None:
    """Everything that decides rights, in any order; after each step the memory is held against the database."""
    town = await Town.of(db, roles=READERS)
    dice = random.Random(seed)
    await town.add(*NAMES, groups={"plain": ["ada"], "friends": ["bob"]})
    root = await town.actor()
    await town.people.add_members(root, BY, "readers", ["ada"])
    shares = Shares(db, town.profiles)
    key = ServerKey("ada", "lab")
    await town.servers.start(BY, key, Ask())
    held = {
        name: [await _token(town, name), await _token(town, name, scopes=["read:hub"])] for name in ("ada",)
    }
    held |= {name: [await _token(town, name)] for name in NAMES[1:]}

    async def revoke() -> None:
        name = dice.choice(NAMES)
        await town.access.revoke_token(BY, name, held[name][0][0])

    async def admin() -> None:
        async with db.as_one() as tx:
            person = await town.people.person(dice.choice(NAMES))
            await town.people.set_admin(tx, root, BY, person, not person.admin)

    def some() -> list[str]:
        return dice.sample(NAMES, dice.randint(1, 3))

    def whom() -> With:
        return dice.choice([With(user=dice.choice(NAMES[1:])), With(group=dice.choice(GROUPS))])

    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: town.people.add_members(root, BY, dice.choice(GROUPS), some()),
        lambda: town.people.remove_members(BY, dice.choice(GROUPS), some()),
        lambda: town.people.delete_group(BY, dice.choice(("plain", "friends"))),
        lambda: town.people.create_groups(root, BY, {dice.choice(("plain", "friends")): some()}),
        lambda: shares.grant(root, BY, key, whom(), None),
        lambda: shares.revoke(BY, key, whom()),
        revoke,
        admin,
    ]
    for _ in range(60):
        try:
            await dice.choice(steps)()
        except HubError:
            continue  # it was there already, or no longer
        fresh = Access(db)
        for _, secret in (one for tokens in held.values() for one in tokens):
            assert _said(await town.access.by_token(secret)) == _said(await fresh.by_token(secret))
