"""Lists: searched, sorted, paged both ways, within the reach of whoever asks; bulk actions on what they hold."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import sqlalchemy as sa

from apphub.access.actor import EVERYTHING, Reach
from apphub.access.scopes import Filter
from apphub.db import Database, open_database
from apphub.db import tables as t
from apphub.kit import clock
from apphub.listings import Listings
from apphub.listings.model import (
    Ask,
    AskNamed,
    AskServers,
    AskServices,
    AskTokens,
    AskUsers,
    Cursor,
    NameOrder,
    Part,
    ServerOrder,
    TokenOrder,
    UserLine,
    UserOrder,
)
from apphub.listings.store import USER_ORDERS, like
from apphub.people import store as people
from apphub.people.model import NoSuchGroup, Source
from fakes.people import BY, Town

NAMES = [f"user-{number:02}" for number in range(23)]


@pytest.fixture
async def lists(db: Database) -> Listings:
    """Users, some of whom were there; some in a group; some with servers; one who is being deleted."""
    now = clock.now()
    async with db.write() as tx:
        await people.insert_people(
            tx, [*NAMES, "going", "a_b", "a%b"], admin=False, source=Source.API, now=now
        )
        for number, name in enumerate(NAMES):
            if number % 3:  # the others were never there; two and two at the same moment
                seen = now - timedelta(minutes=number * 7 % 11)
                await tx.execute(sa.update(t.users).where(t.users.c.name == name).values(last_activity=seen))
        await tx.execute(sa.update(t.users).where(t.users.c.name == "going").values(deleted=now))
        group = sa.insert(t.groups).values(name="geo", properties={}, source="api").returning(t.groups.c.id)
        group_id = (await tx.execute(group)).scalar_one()
        ids = dict((await tx.execute(sa.select(t.users.c.name, t.users.c.id))).all())
        for name in (*NAMES[:7], "going"):
            await tx.execute(
                sa.insert(t.memberships).values(group_id=group_id, user_id=ids[name], source="api")
            )
    return Listings(db)


async def names(lists: Listings, ask: AskUsers, reach: Reach = EVERYTHING) -> list[str]:
    """The names on a page."""
    return [line.person.name for line in (await lists.users(reach, ask)).rows]


@pytest.mark.parametrize("order", get_args(UserOrder))
async def test_pages_in_every_order_hold_each_user_once_forwards_and_backwards(
    lists: Listings, order: UserOrder
) -> None:
    whole = await names(lists, AskUsers(order=order, limit=100))
    assert sorted(whole) == sorted([*NAMES, "a_b", "a%b"])
    pages: list[Part[UserLine]] = []
    cursor: Cursor | None = None
    while cursor is not None or not pages:
        pages.append(await lists.users(EVERYTHING, AskUsers(order=order, limit=4, cursor=cursor)))
        cursor = pages[-1].after
    assert [line.person.name for page in pages for line in page.rows] == whole
    assert pages[0].before is None
    for earlier, later in itertools.pairwise(pages):
        back = await lists.users(EVERYTHING, AskUsers(order=order, limit=4, cursor=later.before))
        assert list(back.rows) == list(earlier.rows)
        assert back.after is not None


async def test_an_order_and_the_other_way_round_are_each_others_mirror(lists: Listings) -> None:
    for order in USER_ORDERS:
        there = await names(lists, AskUsers(order=order, limit=100))  # type: ignore[arg-type]
        back = await names(lists, AskUsers(order=f"-{order}", limit=100))  # type: ignore[arg-type]
        assert back == there[::-1], order


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("er-0", NAMES[:10]),
        ("USER-22", ["user-22"]),
        ("nobody", []),
        ("%", ["a%b"]),
        ("_", ["a_b"]),
        ("/", []),
        ("going", []),
    ],
)
async def test_a_search_is_for_part_of_a_name_and_knows_no_wildcards(
    lists: Listings, search: str, found: list[str]
) -> None:
    assert await names(lists, AskUsers(search=search, limit=100)) == found


async def test_a_group_and_what_runs_narrow_the_list(lists: Listings) -> None:
    assert await names(lists, AskUsers(group="geo", limit=100)) == NAMES[:7]
    assert await names(lists, AskUsers(group="nowhere")) == []
    assert await names(lists, AskUsers(active=True)) == []
    async with lists.db.write() as tx:
        key = (await tx.execute(sa.select(t.users.c.id).where(t.users.c.name == "user-03"))).scalar_one()
        values = {"user_id": key, "name": "", "created": clock.now(), "wanted": "running", "phase": "ready"}
        await tx.execute(sa.insert(t.servers).values(**values, attempt=1, phase_attempt=1))
    assert await names(lists, AskUsers(active=True)) == ["user-03"]
    [line] = (await lists.users(EVERYTHING, AskUsers(search="user-03"))).rows
    assert line.running == 1
    [server] = (await lists.servers(EVERYTHING, AskServers(search="ER-03"))).rows
    assert (str(server.server.key), server.groups) == ("user-03/", {"geo"})
    assert await lists.server_names(EVERYTHING, AskServers(active=True), most=5) == ["user-03/"]
    assert await lists.server_names(EVERYTHING, AskServers(search="user-04"), most=5) == []
    for order in get_args(ServerOrder):
        assert len((await lists.servers(EVERYTHING, AskServers(order=order))).rows) == 1
    assert (await lists.servers(EVERYTHING, AskServers(profile="other"))).rows == ()


async def test_nobody_sees_beyond_their_reach(lists: Listings) -> None:
    group = Reach((frozenset({Filter("group", "geo")}),))
    one = Reach((frozenset({Filter("user", "user-20")}),))
    nothing = Reach((frozenset({Filter("service", "docs")}),))
    everybody = AskUsers(limit=100)
    assert await names(lists, everybody, group) == NAMES[:7]
    assert await names(lists, everybody, one) == ["user-20"]
    assert await names(lists, everybody, nothing) == []
    assert await lists.user_names(group, AskUsers(search="er-0"), most=3) == NAMES[:3]
    assert [line.name for line in (await lists.groups(EVERYTHING, AskNamed())).rows] == ["geo"]
    assert (await lists.groups(one, AskNamed())).rows == ()
    assert (await lists.servers(nothing, AskServers())).rows == ()
    assert (await lists.tokens(nothing, AskTokens())).rows == ()


@pytest.mark.parametrize("order", get_args(NameOrder))
async def test_groups_are_paged_in_every_order(lists: Listings, order: NameOrder) -> None:
    made = ["sea", "air", "land", "fire"]
    async with lists.db.write() as tx:
        for name in made:
            await tx.execute(sa.insert(t.groups).values(name=name, properties={}, source="api"))
    whole = {"name": sorted(["geo", *made]), "created": ["geo", *made]}[order.removeprefix("-")]
    first = await lists.groups(EVERYTHING, AskNamed(order=order, limit=3))
    rest = await lists.groups(EVERYTHING, AskNamed(order=order, limit=3, cursor=first.after))
    found = [line.name for page in (first, rest) for line in page.rows]
    assert found == (whole[::-1] if order.startswith("-") else whole)
    back = await lists.groups(EVERYTHING, AskNamed(order=order, limit=3, cursor=rest.before))
    assert back.rows == first.rows


@pytest.mark.parametrize("order", get_args(TokenOrder))
async def test_tokens_are_paged_from_either_end(town: Town, order: TokenOrder) -> None:
    lists, notes = Listings(town.db), [f"note {number}" for number in range(5)]
    await town.add("ada")
    for note in notes:
        root = await town.actor()
        await town.access.create_token(root, BY, "ada", scopes=None, note=note, life=None)
    first = await lists.tokens(EVERYTHING, AskTokens(search="note", order=order, limit=3))
    rest = await lists.tokens(EVERYTHING, AskTokens(search="note", order=order, limit=3, cursor=first.after))
    found = [line.token.note for page in (first, rest) for line in page.rows]
    assert found == (notes[::-1] if order == "-created" else notes)


async def test_members_are_paged_and_those_who_are_going_are_not_among_them(lists: Listings) -> None:
    group, properties = await lists.group("geo")
    assert (group.name, properties) == ("geo", {})
    first = await lists.members(group.id, Ask(limit=5))
    rest = await lists.members(group.id, Ask(limit=5, cursor=first.after))
    assert [one.name for one in (*first.rows, *rest.rows)] == NAMES[:7]
    assert rest.after is None
    with pytest.raises(NoSuchGroup):
        await lists.group("nowhere")


SERVICES = ["zeta", "culler", "docs", "alpha", "wiki", "a_b", "a.b"]


@pytest.fixture
async def serving(db: Database) -> Listings:
    """Services, in the order of their making; the first two are declared, one of them with a program and a role."""
    async with db.write() as tx:
        for name in SERVICES:
            values = {"source": Source.SETTINGS if name in SERVICES[:2] else Source.API}
            if name == "culler":
                values |= {"command": ["cull"], "admin": True, "url": "http://127.0.0.1:9", "display": False}
            if name == "docs":
                values["url"] = "http://127.0.0.1:9"
            await tx.execute(sa.insert(t.services).values(name=name, info={}, **values))
    return Listings(db)


async def service_names(lists: Listings, ask: AskServices, reach: Reach = EVERYTHING) -> list[str]:
    """The services on a page."""
    return [one.name for one in (await lists.services(reach, ask)).rows]


@pytest.mark.parametrize("order", get_args(NameOrder))
async def test_services_of_both_sources_are_in_one_list_paged_both_ways_in_every_order(
    serving: Listings, order: NameOrder
) -> None:
    by_order = {"name": sorted(SERVICES), "created": SERVICES}[order.removeprefix("-")]
    whole = by_order[::-1] if order.startswith("-") else by_order
    assert await service_names(serving, AskServices(order=order)) == whole
    first = await serving.services(EVERYTHING, AskServices(order=order, limit=3))
    second = await serving.services(EVERYTHING, AskServices(order=order, limit=3, cursor=first.after))
    third = await serving.services(EVERYTHING, AskServices(order=order, limit=3, cursor=second.after))
    assert [one.name for page in (first, second, third) for one in page.rows] == whole
    assert (first.before, third.after) == (None, None)
    back = await serving.services(EVERYTHING, AskServices(order=order, limit=3, cursor=third.before))
    assert back.rows == second.rows


async def test_a_list_of_services_holds_what_is_known_of_each_and_is_searched_by_name(
    serving: Listings,
) -> None:
    [culler] = (await serving.services(EVERYTHING, AskServices(search="CULL"))).rows
    assert (culler.source, culler.command, culler.roles) == (Source.SETTINGS, ("cull",), ("admin",))
    [docs] = (await serving.services(EVERYTHING, AskServices(search="doc"))).rows
    assert (docs.source, docs.command, docs.roles) == (Source.API, (), ())
    assert await service_names(serving, AskServices(search="_")) == ["a_b"]
    assert await service_names(serving, AskServices(search="nothing")) == []
    assert await service_names(serving, AskServices(shown=True)) == ["docs"]


async def test_services_out_of_reach_are_on_no_page(serving: Listings) -> None:
    two = Reach((frozenset({Filter("service", "wiki"), Filter("service", "docs")}),))
    somebody = Reach((frozenset({Filter("user", "wiki")}),))
    assert await service_names(serving, AskServices(order="-name"), two) == ["wiki", "docs"]
    assert await service_names(serving, AskServices(search="wik"), two) == ["wiki"]
    assert await service_names(serving, AskServices(search="alpha"), two) == []
    assert await service_names(serving, AskServices(), somebody) == []


async def test_a_search_on_sqlite_reads_an_index_and_no_rows(tmp_path: Path) -> None:
    # PostgreSQL plans by what is in its tables: tests/scale/pages.py measures both.
    db, u = await open_database(None, tmp_path), t.users.c
    for order, terms in USER_ORDERS.items():
        wanted = sa.select(u.id).where(u.deleted.is_(None), like(u.name, "zzz")).limit(51)
        text = wanted.order_by(*(term[0] for term in terms)).compile(compile_kwargs={"literal_binds": True})
        async with db.read() as tx:
            plan = [str(row[-1]) for row in await tx.execute(sa.text(f"explain query plan {text}"))]
        assert len(plan) == 1, f"{order}: it sorts: {plan}"
        assert "COVERING INDEX" in plan[0] or order == "created", plan  # rows are in the order of their keys
    await db.close()
