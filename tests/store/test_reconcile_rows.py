"""Claims on servers: one owner at a time, first come first let in, nothing kept by who has died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from apphub.admission import store as admission_store
from apphub.db import Database, open_database
from apphub.db import tables as t
from apphub.kit import clock
from apphub.kit.addresses import Address
from apphub.reconcile import store
from apphub.reconcile.ports import NoPortLeft, Ports
from apphub.runtimes.base import Ref
from apphub.servers import store as servers_store
from apphub.servers.model import Ask, Phase, Server, ServerKey, Wanted
from fakes.people import BY, Town

HERE = "here"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def asked(town: Town) -> list[Server]:
    """Three servers that were asked for, one after the other."""
    await town.add("ada")
    return [await town.servers.start(BY, ServerKey("ada", f"s{number}"), Ask()) for number in range(3)]


async def _do(db: Database, act: Callable[..., Any], *args: Any, **how: Any) -> Any:
    async with db.write() as tx:
        return await act(tx, *args, **how)


async def _admit(db: Database, server: Server, port: int) -> None:
    address = Address("127.0.0.1", port)
    await _do(db, store.admit, {server.id: address}, HERE, clock.now())


async def _line(db: Database) -> list[int]:
    return [row.id for row in await _do(db, admission_store.list_line, 9)]


async def test_those_who_wait_are_let_in_in_the_order_they_asked(db: Database, asked: list[Server]) -> None:
    now = clock.now()
    assert await _line(db) == [server.id for server in asked]
    assert await _do(db, store.list_due, HERE, now, 10) == []  # who waits is not due before
    await _admit(db, asked[0], 20000)
    assert await _line(db) == [asked[1].id, asked[2].id]
    assert await _do(db, store.list_due, HERE, now, 9) == [asked[0].id]
    assert await _do(db, admission_store.count_starting) == 1
    assert await _do(db, store.list_used_ports, HERE, [19999, 20000]) == {20000}


async def test_who_was_stopped_and_asked_for_again_since_the_look_at_the_line_is_not_let_in_by_it(
    db: Database, town: Town, asked: list[Server]
) -> None:
    """What it was measured for is not what it is now; and it would count as let in before it was asked for."""
    looked, server = clock.now(), asked[0]
    await town.servers.stop(BY, server.key)
    again = await town.servers.start(BY, server.key, Ask())
    assert again.attempt == server.attempt + 1
    address = {server.id: Address("127.0.0.1", 20000)}
    assert await _do(db, store.admit, address, HERE, looked) == []
    assert await _do(db, store.admit, address, HERE, clock.now()) == [server.id]


async def test_what_is_claimed_is_nobody_elses_until_the_claim_lapses(
    db: Database, asked: list[Server]
) -> None:
    now, server = clock.now(), asked[0]
    await _admit(db, server, 20000)
    await _do(db, store.lease, [server.id], "mine", now + MINUTE)
    assert await _do(db, store.list_due, HERE, now, 9) == []
    assert await _do(db, store.update_leased, server.id, "mine", phase=Phase.STARTING, phase_attempt=1)
    assert not await _do(db, store.update_leased, server.id, "yours", phase=Phase.READY)
    assert await _do(db, store.list_due, HERE, now + 2 * MINUTE, 9) == [server.id]
    await _do(db, store.lease, [server.id], "yours", now + 3 * MINUTE)
    assert not await _do(db, store.update_leased, server.id, "mine", phase=Phase.READY)
    found = await _do(db, servers_store.find_server_by_id, server.id)
    assert found.phase is Phase.STARTING


async def test_servers_of_another_place_are_left_to_it(db: Database, asked: list[Server]) -> None:
    await _admit(db, asked[0], 20000)
    now = clock.now()
    assert await _do(db, store.list_due, "there", now, 9) == []
    assert await _do(db, store.find_next_due, "there") is None
    assert await _do(db, store.list_used_ports, "there", [20000]) == set()
    assert await _do(db, store.list_live_refs, "there") == {}
    assert list(await _do(db, store.list_live_refs, HERE)) == [asked[0].id]


async def test_two_replicas_that_look_at_once_never_take_the_same_server(
    postgres_url: str, tmp_path: Path
) -> None:
    one, two = [await open_database(postgres_url, tmp_path) for _ in range(2)]
    town = await Town.of(one)
    await town.add("ada")
    started = [await town.servers.start(BY, ServerKey("ada", f"s{n}"), Ask()) for n in range(6)]
    for number, server in enumerate(started):
        await _admit(one, server, 20000 + number)
    ids = {server.id for server in started}

    async def claim(db: Database) -> list[int]:
        async with db.write() as tx:
            found = await store.list_due(tx, HERE, clock.now(), 4)
            await asyncio.sleep(0.2)  # the other one looks meanwhile
            await store.lease(tx, found, "x", clock.now() + MINUTE)
        return found

    first, second = await asyncio.gather(claim(one), claim(two))
    assert set(first).isdisjoint(second)
    assert set(first) | set(second) <= ids
    assert len(first) + len(second) == 6
    for db in (one, two):
        await db.close()


async def test_letting_go_looks_again_at_once_when_people_have_changed_their_mind(
    db: Database, town: Town, asked: list[Server]
) -> None:
    server = asked[0]
    await _admit(db, server, 20000)
    for wanted_meanwhile in (False, True):
        await _do(db, store.lease, [server.id], "mine", clock.now() + MINUTE)
        if wanted_meanwhile:
            await town.servers.stop(BY, server.key)
        how = {"seen": server.attempt, "seen_wanted": Wanted.RUNNING, "next_due": None}
        await _do(db, store.change_leased, [{"server": server.id, "held_by": "mine", **how}])
        due = await _do(db, store.list_due, HERE, clock.now(), 9)
        assert due == ([server.id] if wanted_meanwhile else [])


async def test_a_start_that_came_meanwhile_keeps_a_row_from_being_forgotten(
    db: Database, town: Town, asked: list[Server]
) -> None:
    server = asked[0]
    await _do(db, store.lease, [server.id], "mine", clock.now() + MINUTE)
    await town.servers.stop(BY, server.key, remove=True)
    assert await _do(db, store.lock_removed, server.id, "mine")
    assert not await _do(db, store.lock_removed, server.id, "yours")
    await town.servers.start(BY, server.key, Ask())
    assert not await _do(db, store.lock_removed, server.id, "mine")


async def test_the_end_of_an_object_is_news_only_for_the_attempt_it_was(
    db: Database, asked: list[Server]
) -> None:
    server = asked[0]
    await _admit(db, server, 20000)
    values = {"phase": Phase.READY, "phase_attempt": 1, "due": None, "place": HERE}
    async with db.write() as tx:
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(**values))
    now = clock.now()
    assert not await _do(db, store.mark_ended, [Ref(server.id, 2), Ref(999, 1)], now)
    assert await _do(db, store.list_due, HERE, now, 9) == []
    assert await _do(db, store.mark_ended, [Ref(server.id, 1)], now)
    assert await _do(db, store.list_due, HERE, now, 9) == [server.id]


async def test_a_hub_alone_takes_back_what_a_dead_one_held(db: Database, asked: list[Server]) -> None:
    await _admit(db, asked[0], 20000)
    await _do(db, store.lease, [asked[0].id], "dead", clock.now() + MINUTE)
    await _do(db, store.break_leases, None, clock.now())
    assert await _do(db, store.list_due, HERE, clock.now(), 9) == [asked[0].id]


async def test_no_two_servers_of_a_place_get_the_same_port_and_a_full_range_is_said(
    db: Database, asked: list[Server]
) -> None:
    ports = Ports(20000, 20002)
    given = set()
    for server in asked:
        async with db.write() as tx:
            [address] = await ports.choose(tx, HERE)
            await store.admit(tx, {server.id: address}, HERE, clock.now())
        given.add(address.port)
    assert given == {20000, 20001, 20002}
    async with db.write() as tx:
        with pytest.raises(NoPortLeft):
            await ports.choose(tx, HERE)


async def test_routed_says_which_attempt_every_edge_leads_to_and_only_of_what_is_ready(
    db: Database, asked: list[Server]
) -> None:
    server = asked[0]
    assert await _do(db, store.update_routed, ["ada"], {server.id: 1}) == []  # not ready
    async with db.write() as tx:
        values = {"phase": Phase.READY, "phase_attempt": 1, "ip": "127.0.0.1", "port": 20000, "place": HERE}
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(**values))
    assert await _do(db, store.update_routed, ["ada"], {server.id: 2}) == []  # another attempt
    assert await _do(db, store.update_routed, ["ada"], {server.id: 1}) == [server.id]
    assert await _do(db, store.update_routed, ["ada"], {server.id: 1}) == []  # known already
    assert await _do(db, store.update_routed, ["bob"], {}) == []  # others are left alone
    assert await _do(db, store.update_routed, ["ada"], {}) == []  # it is ready: another look will find it
    async with db.write() as tx:
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(phase=Phase.STOPPING))
    assert await _do(db, store.list_unsettled, ["ada"]) == {server.id: 0}
    assert await _do(db, store.update_routed, ["ada"], {}) == [server.id]
    assert await _do(db, store.list_unsettled, ["ada"]) == {}


async def test_a_replica_frees_what_it_holds_and_nothing_else(db: Database, asked: list[Server]) -> None:
    for server, holder, port in zip(asked[:2], ("one", "two"), (20000, 20001), strict=True):
        await _admit(db, server, port)
        await _do(db, store.lease, [server.id], f"{holder}-7", clock.now() + MINUTE)
    await _do(db, store.break_leases, "one", clock.now())
    assert await _do(db, store.list_due, HERE, clock.now(), 9) == [asked[0].id]


async def test_a_person_who_is_being_deleted_goes_with_their_last_server(
    db: Database, town: Town, asked: list[Server]
) -> None:
    await town.servers.delete_user(BY, "ada", patience=timedelta(0))

    async def forget(server: Server) -> int:
        async with db.write() as tx:
            await store.delete_user_when_empty(tx, server.id)
            await servers_store.delete_server(tx, server.id)
            return int((await tx.execute(sa.select(sa.func.count()).select_from(t.users))).scalar_one())

    assert [await forget(server) for server in asked] == [2, 2, 1]
