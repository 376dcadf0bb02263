"""What owners do with their servers beside starting and stopping them, over real rows and with the loop at work."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from test_reconcile_loop import LAB, World, ready, resting, world

from apphub.reconcile.removals import Removals
from apphub.runtimes.base import Ref, Sight
from apphub.servers.care import Care
from apphub.servers.model import AlreadyRunning, Ask
from fakes.people import BY

__all__ = ["world"]


async def test_a_restart_ends_what_runs_and_launches_it_anew_though_there_is_room_for_one_only(
    world: World,
) -> None:
    world.starts = 1
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        first = await world.becomes(LAB, ready)
        assert first is not None
        asked = await world.town.servers.restart(BY, LAB)
        assert (asked.attempt, asked.pending, asked.active) == (2, "spawn", True)
        again = await world.town.servers.restart(BY, LAB)  # pressed twice
        assert again.attempt == 2
        second = await world.becomes(LAB, lambda row: ready(row) and row is not None and row.attempt == 2)
        assert second is not None
        assert list(await world.runtime.list()) == [second.ref]
        assert world.runtime.launches == [first.ref, second.ref]
        [token] = world.runtime.tokens[first.ref]
        assert await world.town.access.by_token(token) is None


async def test_a_restart_asked_for_again_while_the_old_one_ends_is_the_same_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, ending, may_end = world.runtime.delete, asyncio.Event(), asyncio.Event()

    async def delete(ref: Ref, *, grace: float) -> Sight:
        ending.set()
        await may_end.wait()
        return await end(ref, grace=grace)

    monkeypatch.setattr(world.runtime, "delete", delete)
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, ready)
        await world.town.servers.restart(BY, LAB)
        async with asyncio.timeout(10):
            await ending.wait()
        again = await world.town.servers.restart(BY, LAB)
        assert (again.attempt, again.pending) == (2, "stop")
        with pytest.raises(AlreadyRunning):
            await world.town.servers.start(BY, LAB, Ask())
        may_end.set()
        second = await world.becomes(LAB, lambda row: ready(row) and row is not None and row.attempt == 2)
        assert second is not None


async def test_a_deleted_server_is_stopped_at_once_and_forgotten_when_its_time_has_come(world: World) -> None:
    care, removals = Care(world.town.db), Removals(world.town.db)
    async with world.hub():
        await world.town.servers.start(BY, LAB, Ask())
        await world.becomes(LAB, ready)
        await care.delete(BY, LAB, timedelta(hours=1))
        await world.becomes(LAB, resting)
        await removals.look()
        assert await world.town.servers.find(LAB) is not None, "its time has not come"
        await care.keep(BY, LAB)
        await care.delete(BY, LAB, timedelta(0))
        await removals.look()
        await world.becomes(LAB, lambda row: row is None)
