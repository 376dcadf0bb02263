"""The loop at work over real rows: what people want becomes so, whoever dies on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from apphub.admission import store as admission_store
from apphub.db import Database, Tx, open_database
from apphub.db import tables as t
from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.reconcile import loop
from apphub.runtimes.base import LaunchSpec, Ref
from apphub.servers.model import Ask, Phase, Server, ServerKey
from fakes.people import BY, Town
from fakes.worlds import World

LAB = ServerKey("ada", "lab")


@pytest.fixture
async def world(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # On PostgreSQL what a dead hub held is free once its claim lapses: not half a minute here.
    monkeypatch.setattr(loop, "LEASE", timedelta(seconds=3))
    town = await Town.of(db)
    await town.add("ada")
    return World(town, tmp_path)


def ready(server: Server | None) -> bool:
    return server is not None and server.ready


def resting(server: Server | None) -> bool:
    return server is not None and not server.active


async def test_a_start_becomes_ready_with_a_route_and_a_stop_takes_all_of_it_back(world: World) -> None:
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        server = await world.becomes(LAB, ready)
        assert server is not None
        route = world.plane.table["user/ada"][0]
        assert (route.prefix, route.target) == ("/user/ada/lab/", server.address)
        [token] = world.runtime.tokens[server.ref]
        actor = await world.town.access.by_token(token)
        assert actor is not None
        assert actor.server_id == server.id
        assert actor.holds("users:activity")
        assert not actor.holds("servers")
        await world.town.servers.stop(BY, LAB)
        stopped = await world.becomes(LAB, resting)
        assert stopped is not None
        assert (stopped.phase, stopped.place, stopped.address) == (Phase.STOPPED, None, None)
        assert "user/ada" not in world.plane.table
        assert await world.runtime.list() == {}
        async with asyncio.timeout(60):
            while await world.town.access.by_token(token) is not None:
                await asyncio.sleep(0.01)  # the row may be read before the news of it is out


async def test_an_app_on_a_host_of_its_own_has_a_scope_there_until_it_stops(world: World) -> None:
    world.apps = AppHosts.beside("apps.example.org", "https://hub.example")
    world.town = replace(world.town, servers=replace(world.town.servers, app_hosts=True))
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        server = await world.becomes(LAB, ready)
        assert server is not None
        host = f"at/lab-ada-{server.id}.apps.example.org"
        assert set(world.plane.table) == {"user/ada", host}
        assert world.plane.table[host] == world.plane.table["user/ada"]
    async with world.hub():  # the next one knows it, too
        await world.town.servers.stop(BY, LAB)
        await world.becomes(LAB, resting)
        assert world.plane.table == {}


async def test_an_app_whose_domain_was_taken_away_is_reached_below_the_hubs_path(world: World) -> None:
    world.town = replace(world.town, servers=replace(world.town.servers, app_hosts=True))
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, ready)
        (route,) = world.plane.table["user/ada"]
        assert (route.origin, route.strip) == ("", True)


async def test_an_app_that_ends_before_it_answers_fails_with_its_last_words(world: World) -> None:
    world.answers, world.runtime.output = False, "ImportError: no such thing"
    async with world.hub():
        server = await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, lambda row: row is not None and row.phase is Phase.STARTING)
        world.runtime.end(Ref(server.id, 1), exit_code=3, detail="")
        failed = await world.becomes(LAB, lambda row: row is not None and row.failed)
        assert failed is not None
        assert failed.reason is not None
        assert "3" in failed.reason
        assert "ImportError" in failed.reason
        world.answers = True
        await world.town.servers.start(BY, LAB, Ask())
        again = await world.becomes(LAB, ready)
        assert again is not None
        assert (again.attempt, again.reason) == (2, None)


async def test_an_app_that_never_answers_fails_in_time(world: World) -> None:
    world.answers, world.start_timeout = False, timedelta(seconds=0.2)
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        failed = await world.becomes(LAB, lambda row: row is not None and row.failed)
        assert failed is not None
        assert "did not answer in time" in (failed.reason or "")
        assert await world.runtime.list() == {}


async def test_a_launch_that_cannot_be_fails_at_once_with_the_reason(world: World) -> None:
    world.runtime.fail = "There is no program called nothing."
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        failed = await world.becomes(LAB, lambda row: row is not None and row.failed)
        assert failed is not None
        assert failed.reason == world.runtime.fail


async def test_an_app_that_ends_itself_in_peace_is_stopped_and_not_failed(world: World) -> None:
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        server = await world.becomes(LAB, ready)
        assert server is not None
        world.runtime.end(server.ref, exit_code=0)
        stopped = await world.becomes(LAB, resting)
        assert stopped is not None
        assert (stopped.phase, stopped.failed) == (Phase.STOPPED, False)


async def test_no_more_start_at_once_than_may_and_all_come_up(world: World) -> None:
    world.settings = {"limits": {"concurrent_starts": 3}}
    keys = [ServerKey("ada", f"s{number}") for number in range(9)]
    most = 0
    async with world.hub():
        for key in keys:
            await world.town.servers.start(BY, key, Ask())
        while not all([ready(await world.town.servers.find(key)) for key in keys]):
            async with world.town.db.read() as tx:
                phases = (await tx.execute(sa.select(t.servers.c.phase))).scalars()
                most = max(most, sum(phase == Phase.STARTING for phase in phases))
            await asyncio.sleep(0.005)
    assert most <= 3
    assert len(world.runtime.launches) == 9


async def test_replicas_together_let_in_no_more_starts_than_may(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = admission_store.count_starting

    async def slowly(tx: Tx) -> int:
        found = await count(tx)
        await asyncio.sleep(0.2)  # time for the other one to count the same rows
        return found

    monkeypatch.setattr(admission_store, "count_starting", slowly)
    one, other = [await open_database(postgres_url, tmp_path) for _ in range(2)]
    town = await Town.of(one)
    await town.add("ada")
    worlds = [World(town, tmp_path), World(await Town.of(other), tmp_path)]
    for place, world in zip(("here", "there"), worlds, strict=True):
        world.runtime.place, world.answers = place, False
        world.settings = {"limits": {"concurrent_starts": 3}}
    for number in range(9):
        await town.servers.start(BY, ServerKey("ada", f"s{number}"), Ask())
    async with worlds[0].hub(), worlds[1].hub():
        for _ in range(20):
            async with one.read() as tx:
                flying = await count(tx)
                assert flying <= 3
            await asyncio.sleep(0.1)
        assert flying == 3
    await one.close()
    await other.close()


async def test_a_hub_that_dies_between_launching_and_recording_goes_on_with_the_same_one(
    world: World,
) -> None:
    world.runtime.die_after_create = True
    async with world.hub():
        server = await world.town.servers.start(BY, LAB, Ask())
        while not world.runtime.launches:
            await asyncio.sleep(0.01)
    async with world.hub():
        await world.becomes(LAB, ready)
    assert world.runtime.launches == [Ref(server.id, 1)]
    assert len(world.runtime.tokens[Ref(server.id, 1)]) == 1  # the very token of the first try


@pytest.mark.parametrize("remove", [False, True])
async def test_what_a_dead_hub_launched_is_ended_when_nobody_wants_it_any_more(
    world: World, remove: bool
) -> None:
    world.runtime.die_after_create = True
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        while not world.runtime.launches:
            await asyncio.sleep(0.01)
    assert await world.runtime.list() != {}
    await world.town.servers.stop(BY, LAB, remove=remove)
    async with world.hub():
        await world.becomes(LAB, lambda row: row is None if remove else resting(row))
        assert await world.runtime.list() == {}


async def test_objects_that_no_row_knows_of_are_deleted_at_the_start(world: World) -> None:
    stray = LaunchSpec(
        ref=Ref(999, 1),
        command=("x",),
        env={"JUPYTERHUB_API_TOKEN": "x"},
        address=Address("127.0.0.1", 20000),
    )
    await world.runtime.create(stray)
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, ready)
        while Ref(999, 1) in await world.runtime.list():
            await asyncio.sleep(0.01)


async def test_an_end_that_nobody_saw_is_noticed_by_the_next_hub(world: World) -> None:
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        server = await world.becomes(LAB, ready)
    assert server is not None
    world.runtime.end(server.ref, exit_code=137, detail="")
    async with world.hub():
        await world.becomes(LAB, resting)


async def test_removing_a_running_server_leaves_no_row_route_token_or_object(world: World) -> None:
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, ready)
        await world.town.servers.stop(BY, LAB, remove=True)
        await world.becomes(LAB, lambda row: row is None)
        assert world.plane.table == {}
        assert await world.runtime.list() == {}
        async with world.town.db.read() as tx:
            for table in (t.servers, t.server_events, t.oauth_clients, t.tokens):
                rows = (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar()
                assert rows == 0, table.name


async def test_without_an_edge_nothing_is_called_ready(world: World) -> None:
    world.plane.edges = frozenset()
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, lambda row: row is not None and row.phase is Phase.READY)
        await asyncio.sleep(0.3)
        server = await world.town.servers.find(LAB)
        assert server is not None
        assert server.pending == "spawn"
        world.plane.edges = frozenset({"edge"})
        await world.becomes(LAB, ready)
