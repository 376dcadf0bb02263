"""People, groups and memberships: all or none, each with its audit entry, and the file's word kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from apphub.access.actor import EVERYTHING, Reach
from apphub.access.scopes import Filter
from apphub.db import Database
from apphub.db import tables as t
from apphub.errors import Conflict, Invalid
from apphub.people import groups, services, store
from apphub.people.model import (
    Declared,
    Group,
    GroupExists,
    NoSuchGroup,
    NoSuchService,
    NoSuchUser,
    Source,
    UserExists,
)
from apphub.servers.views import Page
from fakes.people import BY, Town


async def _audited(town: Town, since: int = 0) -> list[tuple[str, str]]:
    async with town.db.read() as tx:
        rows = await tx.execute(
            sa.select(t.audit.c.action, t.audit.c.target)
            .where(t.audit.c.id > since, t.audit.c.actor != "settings")
            .order_by(t.audit.c.id)
        )
        return [tuple(row) for row in rows]


async def _page(town: Town, **how: object) -> list[str]:
    accounts = await town.views.list_accounts(EVERYTHING, Page(**how))  # type: ignore[arg-type]
    return [account.person.name for account in accounts]


async def test_every_change_of_people_leaves_an_audit_entry_that_says_who_and_whom(town: Town) -> None:
    root = await town.actor()
    await town.people.create(root, BY, ["ada", "bob"], admin=False)
    await town.people.create_group(root, BY, "g", members=["ada"], properties={"a": [1, None, "é"]})
    await town.people.add_members(root, BY, "g", ["bob"])
    await town.people.remove_members(BY, "g", ["ada"])
    await town.people.set_properties(BY, "g", {})
    await town.servers.change_user(root, BY, "ada", admin=True, new_name="eva")
    await town.people.delete_group(BY, "g")
    await town.servers.delete_user(BY, "eva", patience=timedelta(0))
    assert await _audited(town) == [
        ("user.create", "user:ada"),
        ("user.create", "user:bob"),
        ("group.create", "group:g"),
        ("group.members.add", "group:g"),
        ("group.members.remove", "group:g"),
        ("group.properties", "group:g"),
        ("user.admin", "user:ada"),
        ("user.rename", "user:ada"),
        ("group.delete", "group:g"),
        ("user.delete", "user:eva"),
    ]
    async with town.db.read() as tx:
        entry = sa.select(t.audit.c.actor, t.audit.c.address, t.audit.c.request_id, t.audit.c.after)
        *who, after = (await tx.execute(entry.where(t.audit.c.action == "group.create"))).one()
    assert who == [BY.actor, BY.address, BY.request_id]
    assert after == {"members": ["ada"], "properties": {"a": [1, None, "é"]}}


async def test_one_bad_name_among_many_creates_nobody(town: Town) -> None:
    root = await town.actor()
    with pytest.raises(Invalid):
        await town.people.create(root, BY, ["ada", "bad/name", "bob"], admin=False)
    with pytest.raises(Invalid):
        await town.people.create_groups(root, BY, {"g": [], "bad\nname": []})
    with pytest.raises(Invalid):
        await town.people.create_groups(root, BY, {"g": [], "h": ["nobody"]})
    assert await _page(town) == ["root"]
    async with town.db.read() as tx:
        assert await groups.count_groups(tx, EVERYTHING) == 0
    assert await _audited(town) == []


async def test_one_person_has_one_name_however_it_is_written_and_by_whichever_door(town: Town) -> None:
    root = await town.actor()
    for name in ("Ada", "ADA", "ａｄａ", "ada"):
        new, there = await town.people.create(root, BY, [name, name], admin=False)
        assert (new, there) in ((["ada"], []), ([], ["ada"]))
    for name in ("STRASSE", "straße", "Straße"):
        await town.people.create(root, BY, [name], admin=False)
    with pytest.raises(UserExists):
        await town.people.create_one(root, BY, "ADA", admin=False)
    assert await _page(town) == ["root", "ada", "strasse"]
    await town.people.create_group(root, BY, "G", members=["ADA"], properties={})
    await town.people.create_group(root, BY, "g", members=[], properties={})  # groups keep their spelling
    assert (await town.people.add_members(root, BY, "g", ["Ada", "ada"])).members == ("ada",)


async def test_those_who_exist_are_left_as_they_are(town: Town) -> None:
    root = await town.actor()
    await town.add("ada")
    new, there = await town.people.create(root, BY, ["ada", "bob"], admin=True)
    assert (new, there) == (["bob"], ["ada"])
    assert not (await town.people.person("ada")).admin
    assert (await town.people.person("bob")).admin


async def test_of_twenty_who_create_the_same_person_at_once_one_does(town: Town) -> None:
    root = await town.actor()
    tries = [town.people.create_one(root, BY, "ada", admin=False) for _ in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [result for result in results if isinstance(result, str)] == ["ada"]
    assert all(isinstance(result, Conflict) for result in results if not isinstance(result, str))
    groups_made = [town.people.create_group(root, BY, "g", members=["ada"], properties={}) for _ in range(20)]
    results = await asyncio.gather(*groups_made, return_exceptions=True)  # type: ignore[arg-type]
    assert sum(isinstance(result, Group) for result in results) == 1
    assert sum(isinstance(result, GroupExists) for result in results) == 19


async def test_twenty_who_add_the_same_member_at_once_add_them_once(town: Town) -> None:
    root = await town.actor()
    await town.add("ada", groups={"g": []})
    adds = [town.people.add_members(root, BY, "g", ["ada"]) for _ in range(20)]
    results = await asyncio.gather(*adds, return_exceptions=True)
    assert all(isinstance(result, Conflict) or not isinstance(result, BaseException) for result in results)
    async with town.db.read() as tx:
        assert (await groups.get_group(tx, "g")).members == ("ada",)


async def test_what_is_not_there_is_said_to_be_missing(town: Town) -> None:
    root = await town.actor()
    with pytest.raises(NoSuchUser):
        await town.people.person("nobody")
    with pytest.raises(NoSuchGroup):
        await town.people.add_members(root, BY, "nothing", [])
    with pytest.raises(NoSuchGroup):
        await town.people.delete_group(BY, "nothing")
    await town.add("ada", groups={"g": []})
    with pytest.raises(GroupExists):
        await town.people.create_group(root, BY, "g", members=[], properties={})
    with pytest.raises(Invalid):
        await town.people.remove_members(BY, "g", ["nobody"])
    async with town.db.read() as tx:
        with pytest.raises(NoSuchService):
            await services.get_service(tx, "nothing")
        assert await store.find_password(tx, "ada") is None


async def test_what_the_file_declares_is_not_contradicted_and_repeating_it_is_fine(db: Database) -> None:
    declared = {"groups": {"team": {"members": ["ada"], "properties": {"floor": 3}}}}
    town = await Town.of(db, **declared)
    root = await town.actor()
    await town.add("bob")
    assert (await town.people.set_properties(BY, "team", {"floor": 3})).properties == {"floor": 3}
    for contradiction in (
        town.people.set_properties(BY, "team", {"floor": 4}),
        town.people.remove_members(BY, "team", ["ada"]),
        town.people.delete_group(BY, "team"),
        town.servers.change_user(root, BY, "root", admin=False, new_name=None),
        town.servers.change_user(root, BY, "root", admin=None, new_name="other"),
    ):
        with pytest.raises(Declared):
            await contradiction
    assert (await town.people.add_members(root, BY, "team", ["bob", "ada"])).members == ("ada", "bob")
    assert (await town.people.remove_members(BY, "team", ["bob"])).members == ("ada",)
    await town.servers.change_user(root, BY, "root", admin=True, new_name=None)


async def test_what_leaves_the_file_loses_only_its_mark(db: Database) -> None:
    services_now = [{"name": "bot", "api_token": "0123456789abcdef"}]
    await Town.of(db, groups={"team": {"members": ["ada"]}}, services=services_now)
    later = await Town.of(db, login={"admins": ["boss"]})
    async with db.read() as tx:
        group = await groups.get_group(tx, "team")
        assert (group.source, group.members) == (Source.API, ("ada",))
        root = await store.get_person(tx, "root")
        assert (root.source, root.admin) == (Source.API, True)
        assert (await services.get_service(tx, "bot")).source is Source.API
    assert await later.access.by_token("0123456789abcdef") is None  # a declared token goes with the file
    assert (await later.people.remove_members(BY, "team", ["ada"])).members == ()
    again = await Town.of(db, groups={"team": {"members": ["ada"]}})
    assert (await again.people.person("ada")).groups == ("team",)


async def test_lists_are_narrowed_to_their_reach_and_paged_in_every_order(town: Town) -> None:
    await town.add(*[f"u{number}" for number in range(7)], groups={"g": ["u1", "u3"], "h": ["u5"]})
    names = ["root", *(f"u{number}" for number in range(7))]
    assert await _page(town, limit=3) == names[:3]
    assert await _page(town, offset=3, limit=3) == names[3:6]
    assert await _page(town, order="-id") == names[::-1]
    assert await _page(town, order="-name", limit=2) == ["u6", "u5"]
    assert await _page(town, name_filter="u") == names[1:]
    assert await _page(town, name_filter="%") == []
    assert await _page(town, name_filter="_") == []
    assert await _page(town, state="active") == []
    reach = Reach((frozenset({Filter("group", "g"), Filter("user", "u5")}),))
    within = await town.views.list_accounts(reach, Page())
    assert [account.person.name for account in within] == ["u1", "u3", "u5"]
    assert await town.views.count_accounts(reach, Page()) == 3
    both = Reach((*reach.clauses, frozenset({Filter("group", "h")})))
    assert [one.person.name for one in await town.views.list_accounts(both, Page())] == ["u5"]
    for nothing in (Filter("server", "u1/lab"), Filter("service", "s")):
        assert await town.views.list_accounts(Reach((frozenset({nothing}),)), Page()) == []
    async with town.db.read() as tx:
        only = Reach((frozenset({Filter("group", "h")}),))
        assert [g.name for g in await groups.list_groups(tx, only, offset=0, limit=9)] == ["h"]
        assert await groups.count_groups(tx, only) == 1
        assert await groups.count_groups(tx, EVERYTHING) == 2


async def test_those_who_were_never_seen_come_first_and_then_by_when_they_were(town: Town) -> None:
    await town.add("ada", "bob")
    async with town.db.write() as tx:
        for offset, name in enumerate(("root", "ada")):
            person = await store.get_person(tx, name)
            await store.update_person(
                tx, person.id, last_activity=person.created + timedelta(hours=5 - offset)
            )
    assert await _page(town, order="last_activity") == ["bob", "ada", "root"]
    assert await _page(town, order="-last_activity") == ["root", "ada", "bob"]


async def test_text_that_only_one_database_can_keep_is_refused_in_words_and_never_a_fault(town: Town) -> None:
    root = await town.actor()
    await town.add("ada")
    for act in (
        lambda: town.people.create_group(root, BY, "g", members=[], properties={"x": "a\x00b"}),
        lambda: town.views.list_accounts(EVERYTHING, Page(name_filter="\x00")),
        lambda: town.access.create_token(root, BY, "root", scopes=None, note="\x00", life=None),
    ):
        [result] = await asyncio.gather(act(), return_exceptions=True)
        assert not isinstance(result, BaseException) or isinstance(result, Invalid)


async def test_ids_never_come_back(town: Town) -> None:
    await town.add("ada")
    first = (await town.people.person("ada")).id
    await town.servers.delete_user(BY, "ada", patience=timedelta(0))
    await town.add("ada")
    assert (await town.people.person("ada")).id > first
