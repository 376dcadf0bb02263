"""The line of starts on both databases: who comes first, who never waits for ever, and what no race exceeds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from apphub.admission import Admission, store
from apphub.admission.model import NeverFits
from apphub.db import Database, open_database
from apphub.db import tables as t
from apphub.kit import clock
from apphub.kit.addresses import Address
from apphub.reconcile import store as reconcile_store
from apphub.servers.model import Ask, Phase, Server, ServerKey, Wanted
from fakes.people import BY, PROFILES, Town, settings_of
from fakes.worlds import World

GIGABYTE = 2**30
BIG = {
    "slug": "big",
    "groups": "everyone",
    "command": ["app"],
    "memory_guarantee": "3G",
    "memory_limit": "9G",
}


async def _ask(town: Town, key: str, profile: str = "open") -> Server:
    user, _, name = key.partition("/")
    return await town.servers.start(BY, ServerKey(user, name), Ask(options={"profile": profile}))


async def _line(town: Town) -> list[str]:
    """Who waits, in order."""
    async with town.db.read() as tx:
        rows = await store.list_line(tx, 1000)
    found = [await town.servers.find_by_id(row.id) for row in rows]
    return [str(server.key) for server in found if server is not None]


async def _let_in(town: Town, most: int = 1) -> list[Server]:
    """As the reconciler does; they are ready at once."""
    async with town.db.write() as tx:
        found = await town.admission.next(tx, clock.now(), most)
        for server_id in found.let_in:
            address = Address("127.0.0.1", 20000 + server_id)
            assert await reconcile_store.admit(tx, {server_id: address}, "here", clock.now())
            await tx.execute(
                sa.update(t.servers)
                .where(t.servers.c.id == server_id)
                .values(phase=Phase.READY, phase_attempt=t.servers.c.attempt)
            )
        if found.let_in:
            await store.note_turns(tx, found.let_in)
    servers = [await town.servers.find_by_id(server_id) for server_id in found.let_in]
    return [server for server in servers if server is not None]


async def _ends(town: Town, server: Server) -> None:
    values = {"phase": Phase.STOPPED, "wanted": Wanted.STOPPED, "place": None, "ip": None, "port": None}
    async with town.db.write() as tx:
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(**values))


async def test_one_person_with_a_hundred_servers_keeps_nobody_else_from_theirs(db: Database) -> None:
    town = await Town.of(db, limits={"named_servers_per_user": 0})
    await town.add("ada", "bob", "cy")
    for number in range(100):
        await _ask(town, f"ada/s{number:03}")
    await _let_in(town, 10)
    await _ask(town, "bob/")
    await _ask(town, "cy/")
    await _ask(town, "bob/two")
    line = await _line(town)
    assert line.index("bob/") <= 1
    assert line.index("cy/") <= 2
    assert line.index("bob/two") <= 4
    assert [key for key in line if key.startswith("ada/")] == [f"ada/s{n:03}" for n in range(10, 100)]


async def test_who_runs_more_waits_longer_for_one_more(db: Database) -> None:
    town = await Town.of(db)
    await town.add("ada", "bob")
    for number in range(5):
        await _ask(town, f"ada/s{number}")
    await _let_in(town, 5)
    await _ask(town, "ada/more")
    await _ask(town, "bob/first")
    assert await _line(town) == ["bob/first", "ada/more"]


async def test_groups_take_turns_so_that_a_large_one_does_not_keep_a_small_one_waiting(db: Database) -> None:
    town = await Town.of(db)
    students, analysts = [f"s{n:02}" for n in range(20)], ["ada", "bob"]
    await town.add(*students, *analysts, "lone", groups={"students": students, "analysts": analysts})
    for name in [*students, *analysts, "lone"]:
        await _ask(town, f"{name}/")
    line = await _line(town)
    assert max(line.index("ada/"), line.index("bob/"), line.index("lone/")) <= 5
    assert [key for key in line if key[0] == "s"] == [f"{name}/" for name in students]


async def test_nobody_waits_for_ever_however_many_others_come_and_go(db: Database) -> None:
    """The hub is full all the time, and everybody else asks again as soon as their server has stopped."""
    town = await Town.of(db, limits={"servers": 3})
    others = [f"u{number}" for number in range(6)]
    await town.add("ada", *others, groups={"crowd": others})
    for number in range(4):
        await _ask(town, f"ada/s{number}")
    running = await _let_in(town, 3)
    for name in others:
        await _ask(town, f"{name}/")
    chance = random.Random(7)
    for _ in range(60):
        server = chance.choice([one for one in running if one.key.user != "ada"] or running)
        running.remove(server)
        await _ends(town, server)
        running += await _let_in(town)
        if server.key.user != "ada":
            await _ask(town, str(server.key))
        if not any(key.startswith("ada/") for key in await _line(town)):
            return
    raise AssertionError("ada's last start still waits")


async def test_a_place_in_the_line_is_given_up_by_a_stop(db: Database) -> None:
    town = await Town.of(db, limits={"servers": 1})
    await town.add("ada", "bob", "cy")
    for name in ("ada", "bob", "cy"):
        await _ask(town, f"{name}/")
    await _let_in(town)
    assert await _line(town) == ["bob/", "cy/"]
    await town.servers.stop(BY, ServerKey("bob", ""))
    assert await _line(town) == ["cy/"]
    assert await _let_in(town) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"limits": {"memory": "8G"}}, "memory: the hub uses 6 of 8 GB"),
        ({"limits": {"user": {"memory": "8G"}}}, "memory: user ada uses 6 of 8 GB"),
        (
            {"groups": {"analysts": {"members": ["ada"], "limits": {"memory": "8G"}}}},
            "memory: group analysts uses 6 of 8 GB",
        ),
        ({"profiles": [*PROFILES, {**BIG, "limits": {"servers": 2}}]}, "profile big uses 2 of 2"),
    ],
)
async def test_limits_of_hub_user_group_and_profile_hold_and_are_told(
    db: Database, settings: dict[str, object], words: str
) -> None:
    """What is kept for a server counts, not the most it may use."""
    town = await Town.of(db, **{"profiles": [*PROFILES, BIG], **settings})
    await town.add("ada")
    for number in range(4):
        await _ask(town, f"ada/s{number}", "big")
    assert len(await _let_in(town, 9)) == 2
    server = await town.servers.find(ServerKey("ada", "s2"))
    assert server is not None
    spot = (await town.admission.spots([server.id]))[server.id]
    assert (spot.position, spot.estimate) == (1, None)
    assert words in spot.waits_for
    _, waits = await town.servers.would_start(ServerKey("ada", ""), "big", {})
    assert waits is not None
    assert waits.startswith("Number 3 in the line. It waits for")


async def test_what_can_never_have_room_is_refused_at_once_and_blocks_nobody_when_a_limit_was_lowered(
    db: Database,
) -> None:
    profiles = [*PROFILES, BIG]
    town = await Town.of(db, profiles=profiles)
    await town.add("ada", "bob")
    await _ask(town, "ada/", "big")
    lowered = await Town.of(db, profiles=profiles, limits={"memory": "2G"})
    with pytest.raises(NeverFits, match="it asks for 3 GB, and the limit of the hub is 2 GB"):
        await _ask(lowered, "bob/", "big")
    await _ask(lowered, "bob/")
    async with db.read() as tx:
        found = await lowered.admission.next(tx, clock.now(), 9)
    assert (len(found.let_in), len(found.never)) == (1, 1)


async def test_nothing_of_the_line_looks_at_servers_that_are_stopped(db: Database) -> None:
    """Told by the plan that the database makes for each statement, with many servers at rest."""
    town = await Town.of(db)
    await town.add("ada")
    ada = await town.people.person("ada")
    async with db.write() as tx:
        for first in range(0, 3000, 500):
            rows = [
                {"user_id": ada.id, "name": f"s{n}", "created": clock.now()}
                for n in range(first, first + 500)
            ]
            await tx.execute(sa.insert(t.servers), rows)
        if tx.dialect == "postgresql":
            await tx.execute(sa.text("analyze servers"))
        word = "explain query plan" if tx.dialect == "sqlite" else "explain"
        for statement, values in (
            (store._LINE, {"most": 500, "after": 0}),
            (store._COUNT_LINE, {}),
            (store._COUNT_HELD, {}),
            (store._COUNT_STARTING, {}),
            (store._HUB_TAKES, {}),
            (store._USERS_TAKE, {"users": [1, 2]}),
        ):
            dialect = sa.create_mock_engine(f"{tx.dialect}://", lambda *_: None).dialect
            bound = statement.params(**values) if values else statement
            text = str(bound.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
            plan = "\n".join(str(row[-1]) for row in await tx.execute(sa.text(f"{word} {text}")))
            assert "Seq Scan on servers" not in plan, plan
            for line in plan.splitlines():
                assert "SCAN servers" not in line or "ix_servers_" in line, plan


# -- two replicas --------------------------------------------------------------------------


@asynccontextmanager
async def _durable(db: Database) -> AsyncGenerator[None]:
    """The server commits to disk meanwhile: what a race may show depends on how long commits take."""
    names = ("fsync", "synchronous_commit", "full_page_writes")

    async def set_to(value: str) -> None:
        async with db.read() as tx:
            for name in names:
                await tx.execute(sa.text(f"alter system set {name} = {value}"))
            await tx.execute(sa.text("select pg_reload_conf()"))

    await set_to("on")
    try:
        yield
    finally:
        await set_to("off")


def _exceeds(rows: Sequence[tuple[str, int, int]]) -> str | None:
    of_user: dict[str, int] = {}
    for user, _, _ in rows:
        of_user[user] = of_user.get(user, 0) + 1
    if (
        len(rows) > 6
        or any(count > 2 for count in of_user.values())
        or sum(row[1] for row in rows) > 9 * GIGABYTE
    ):
        return str(rows)
    return None


async def test_two_replicas_that_let_in_at_once_never_exceed_a_limit_and_everybody_comes_up(
    postgres_url: str, tmp_path: Path
) -> None:
    limits: dict[str, object] = {
        "servers": 6,
        "memory": "9G",
        "user": {"servers": 2},
        "concurrent_starts": 4,
        "named_servers_per_user": 0,
    }
    profiles = [*PROFILES, BIG]
    async with AsyncExitStack() as stack:
        dbs = [await open_database(postgres_url, tmp_path) for _ in range(2)]
        for db in dbs:
            stack.push_async_callback(db.close)
            hearing = asyncio.create_task(db.hear())
            stack.callback(hearing.cancel)
        one = dbs[0]
        await stack.enter_async_context(_durable(one))
        settings = {"limits": limits, "profiles": profiles}
        towns = [await Town.of(db, **settings) for db in dbs]
        town = towns[0]
        users = [f"u{number}" for number in range(5)]
        await town.add(*users)
        for place, its in zip(("here", "there"), towns, strict=True):
            world = World(its, tmp_path / place, settings=settings)
            world.runtime.place = place
            await stack.enter_async_context(world.hub())
        keys = [f"{user}/s{number}" for user in users for number in range(8)]
        asked = asyncio.gather(
            *(_ask(towns[n % 2], key, "big" if n % 3 == 0 else "open") for n, key in enumerate(keys))
        )
        held = (
            sa.select(t.users.c.name, t.servers.c.memory, t.servers.c.id)
            .join(t.users, t.users.c.id == t.servers.c.user_id)
            .where(t.servers.c.place.is_not(None))
        )
        done: set[int] = set()
        end = asyncio.get_running_loop().time() + 120
        while len(done) < len(keys):
            assert asyncio.get_running_loop().time() < end, f"{len(done)} of {len(keys)} came up"
            async with one.read() as tx:
                rows = [tuple(row) for row in await tx.execute(held)]
            assert (too_much := _exceeds(rows)) is None, too_much
            for _, _, server_id in rows:
                server = await town.servers.find_by_id(server_id)
                if server is not None and server.ready and server.id not in done:
                    done.add(server.id)
                    await towns[server.id % 2].servers.stop(BY, server.key)
        assert len({server.id for server in await asked}) == len(keys)


async def test_start_times_are_learnt_and_written_only_when_they_are_news(db: Database) -> None:
    town = await Town.of(db)
    profile = (await town.profiles.get("open")).id
    admission = Admission(db, town.profiles, settings_of())
    for seconds, noted in ((2.0, 2.0), (2.1, 2.0), (8.0, 3.216)):
        async with db.write() as tx:
            await admission.started(tx, profile, seconds)
            assert await store.list_times(tx) == {profile: pytest.approx(noted)}
