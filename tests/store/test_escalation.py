"""Nobody gives what they do not hold: not by a token, an account, a membership, a service or a share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from apphub.access.grants import Grants
from apphub.access.model import MayNotCreateTokens, NoSuchRole, NoSuchToken, TooMuch
from apphub.access.scopes import SCOPES, UnknownScope
from apphub.db import Database
from apphub.db import tables as t
from apphub.errors import Forbidden, HubError
from apphub.people.actions import MayNotGrant
from fakes.people import BY, Town

#: A group with a powerful role, and people who may do something short of it.
ROLES = [
    {"name": "powerful", "scopes": ["admin:users", "admin:groups", "tokens"], "groups": ["powers"]},
    {"name": "users-admin", "scopes": ["admin:users"], "users": ["ulla"]},
    {"name": "groups-admin", "scopes": ["admin:groups"], "users": ["gita"]},
    {"name": "helper", "scopes": ["tokens!user=ada", "read:users!user=ada"], "users": ["hal"]},
]


@pytest.fixture
async def place(db: Database) -> Town:
    town = await Town.of(db, roles=ROLES)
    await town.add("ada", "bob", groups={"plain": []})
    return town


async def _everything(town: Town) -> dict[str, list[tuple[object, ...]]]:
    async with town.db.read() as tx:
        tables = (t.users, t.groups, t.memberships, t.tokens, t.holders, t.services)
        return {table.name: [tuple(row) for row in await tx.execute(sa.select(table))] for table in tables}


async def _refused(town: Town, error: type[HubError], act: Callable[[], Awaitable[object]]) -> None:
    before = await _everything(town)
    with pytest.raises(error):
        await act()
    assert await _everything(town) == before


async def test_nobody_makes_a_token_of_a_scope_they_do_not_hold(place: Town) -> None:
    ada = await place.actor("ada")
    for scope in SCOPES:
        # What is held for oneself alone is not given for everybody, nor for somebody else.
        for wider in (scope, f"{scope}!user=bob", f"{scope}!group=plain", f"{scope}!server=bob/lab"):
            if not Grants.of([wider]).table:
                continue  # a server is no user: such a filter gives nothing
            await _refused(
                place,
                TooMuch,
                lambda wider=wider: place.access.create_token(  # type: ignore[misc]
                    ada, BY, "ada", scopes=[wider], note="", life=None
                ),
            )


async def test_a_role_in_a_token_is_no_way_around_it(place: Town) -> None:
    ada = await place.actor("ada")
    for role in ("admin", "powerful", "users-admin"):
        with pytest.raises(TooMuch):
            await place.access.create_token(ada, BY, "ada", scopes=None, roles=[role], note="", life=None)
    with pytest.raises(NoSuchRole):
        await place.access.create_token(ada, BY, "ada", scopes=None, roles=["king"], note="", life=None)
    with pytest.raises(UnknownScope):
        await place.access.create_token(ada, BY, "ada", scopes=["everything"], note="", life=None)


async def test_a_narrow_token_makes_no_wider_one_whatever_it_asks_for(place: Town) -> None:
    narrow = await place.narrowed("root", "tokens!user=root", "read:users!user=ada")
    with pytest.raises(TooMuch):
        await place.access.create_token(narrow, BY, "root", scopes=["admin:users"], note="", life=None)
    made = await place.access.create_token(narrow, BY, "root", scopes=None, note="", life=None)
    assert "inherit" not in made.token.scopes
    found = await place.access.by_token(made.secret)
    assert found is not None
    assert found.grants().within(narrow.grants(), user="root")


async def test_whoever_makes_tokens_for_another_gives_only_what_both_hold(place: Town) -> None:
    hal = await place.actor("hal")
    with pytest.raises(TooMuch):
        await place.access.create_token(hal, BY, "ada", scopes=["servers!user=ada"], note="", life=None)
    made = await place.access.create_token(hal, BY, "ada", scopes=None, note="", life=None)
    found = await place.access.by_token(made.secret)
    assert found is not None
    assert not found.holds("start:servers")
    assert found.holds("read:users")


async def test_only_who_may_makes_tokens_for_another(place: Town) -> None:
    ada = await place.actor("ada")
    for scopes in (None, ["read:users:name!user=bob"], []):
        for name in ("bob", "nobody"):
            await _refused(
                place,
                MayNotCreateTokens,
                lambda name=name, scopes=scopes: place.access.create_token(  # type: ignore[misc]
                    ada, BY, name, scopes=scopes, note="", life=None
                ),
            )
            with pytest.raises(MayNotCreateTokens):
                await place.access.check_may_create(ada, name)
    await place.access.check_may_create(ada, "ada")


async def test_only_a_whole_administrator_makes_administrators(place: Town) -> None:
    ulla = await place.actor("ulla")
    await _refused(place, MayNotGrant, lambda: place.people.create(ulla, BY, ["eve"], admin=True))
    for name in ("ulla", "ada"):
        await _refused(
            place,
            MayNotGrant,
            lambda name=name: place.servers.change_user(ulla, BY, name, admin=True, new_name=None),  # type: ignore[misc]
        )
    await _refused(
        place, MayNotGrant, lambda: place.servers.change_user(ulla, BY, "root", admin=False, new_name=None)
    )
    narrow = await place.narrowed("root", "admin:users", "admin:groups")
    await _refused(place, MayNotGrant, lambda: place.people.create(narrow, BY, ["eve"], admin=True))
    await place.servers.change_user(await place.actor(), BY, "ada", admin=True, new_name=None)
    assert (await place.actor("ada")).holds("admin:users")


async def test_nobody_adds_members_to_a_group_whose_roles_hold_more_than_they_do(place: Town) -> None:
    gita = await place.actor("gita")
    await place.people.add_members(gita, BY, "plain", ["gita"])
    for member in ("gita", "ada"):
        await _refused(
            place,
            MayNotGrant,
            lambda member=member: place.people.add_members(gita, BY, "powers", [member]),  # type: ignore[misc]
        )
    await place.people.add_members(await place.actor(), BY, "powers", ["ada"])
    assert (await place.actor("ada")).holds("admin:users")


async def test_nobody_gets_a_role_by_deleting_its_group_and_making_it_again(place: Town) -> None:
    gita = await place.actor("gita")
    await _refused(place, HubError, lambda: place.people.delete_group(BY, "powers"))
    with pytest.raises(HubError):
        await place.people.create_group(gita, BY, "powers", members=["gita"], properties={})
    again = await Town.of(place.db, roles=ROLES)  # the hub starts again
    assert not (await again.actor("gita")).holds("admin:users")


async def test_one_persons_token_is_not_anothers(place: Town) -> None:
    bob = await place.actor("bob")
    token = (await place.access.create_token(bob, BY, "bob", scopes=None, note="", life=None)).token
    await _refused(place, NoSuchToken, lambda: place.access.revoke_token(BY, "ada", token.wire_id))
    for wrong in ("a", "1", "a-1", "a1.5", "a" + "9" * 30, "b1", "a²", ""):
        await _refused(
            place,
            NoSuchToken,
            lambda wrong=wrong: place.access.revoke_token(BY, "bob", wrong),  # type: ignore[misc]
        )


async def test_nobody_renames_a_person_to_take_over_what_a_declared_name_gives(place: Town) -> None:
    ulla = await place.actor("ulla")
    with pytest.raises(HubError):
        await place.servers.change_user(ulla, BY, "root", admin=None, new_name="was-root")
    with pytest.raises(HubError):
        await place.servers.change_user(ulla, BY, "ada", admin=None, new_name="ROOT")
    assert not (await place.actor("ada")).admin


def test_what_is_refused_is_told_as_forbidden() -> None:
    assert issubclass(MayNotGrant, Forbidden)
