"""Passes are looked at again once they have run out, also those that ran out during the last look."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from apphub.access.actor import Actor
from apphub.kit.secrets import Keys
from apphub.passes import Passes
from apphub.passes.tokens import Signer
from apphub.reconcile import visitors
from apphub.reconcile.visitors import VisitorReview
from apphub.servers.actions import Ask
from apphub.servers.model import Server, ServerKey
from fakes.people import BY, Town
from fakes.planes import MemoryPlane

LIFE = timedelta(seconds=0.3)


class Slow(Passes):
    """On a busy machine a look takes longer than the pass that it looks at."""

    looks = 0

    async def review(self) -> int:
        found = await super().review()
        await asyncio.sleep(2 * LIFE.total_seconds())
        type(self).looks += 1
        return found


async def _visitor(town: Town) -> tuple[Actor, Server]:
    await town.add("ada")
    server = await town.servers.start(BY, ServerKey("ada", "lab"), Ask())
    ada = await town.actor("ada")
    assert ada.user_id is not None
    session = await town.access.start_session(BY, ada.user_id, timedelta(minutes=1))
    visitor = await town.access.by_public_session(session.public_id)
    assert visitor is not None
    return visitor, server


@pytest.fixture
def passes(town: Town, monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(visitors, "SETTLED", 0.05)
    monkeypatch.setattr(Slow, "looks", 0)
    return Slow(town.db, town.access, Signer(Keys(b"k" * 32)), LIFE, timedelta())


async def _looks(passes: Slow, count: int) -> None:
    async with asyncio.timeout(20):
        while passes.looks < count:
            await asyncio.sleep(0.02)


async def test_a_pass_that_runs_out_while_passes_are_looked_at_is_looked_at_again(
    town: Town, passes: Slow
) -> None:
    visitor, server = await _visitor(town)
    await passes.give(visitor, BY, server, "http://hub.example/user/ada/lab/")
    loop = asyncio.create_task(VisitorReview(town.db, passes, MemoryPlane()).run())
    try:
        await _looks(passes, 2)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def test_a_pass_that_is_made_while_nobody_looks_is_looked_at_when_it_has_run_out(
    town: Town, passes: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "LOOK", 0.05)
    visitor, server = await _visitor(town)
    loop = asyncio.create_task(VisitorReview(town.db, passes, MemoryPlane()).run())
    try:
        await _looks(passes, 1)
        await asyncio.sleep(0.3)
        assert passes.looks == 1  # no pass is there, and so nothing to look at
        await passes.give(visitor, BY, server, "http://hub.example/user/ada/lab/")
        await _looks(passes, 2)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
