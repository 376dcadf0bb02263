"""How the hub is, as the page of its status tells: what there is, what is on its way, which hubs live."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from apphub.db import Database
from apphub.db import tables as t
from apphub.jobs import Jobs
from apphub.jobs.model import Kind
from apphub.kit import clock
from apphub.replicas import Replicas
from apphub.replicas.actions import AWAY
from apphub.replicas.store import Replica, upsert_replica
from apphub.servers.model import Ask, Phase, ServerKey, Wanted
from apphub.status import Status
from apphub.status.model import Load
from fakes.people import BY, Town


def status(db: Database) -> Status:
    """The status as the hub at the place `here` tells it."""
    return Status(db, Replicas(db, "here"), "here")


async def test_a_hub_with_nothing_counts_nothing(db: Database) -> None:
    assert await status(db).load() == Load(0, 0, 0, 0, 0, 0)


async def test_users_and_servers_are_counted_by_what_they_do(town: Town) -> None:
    await town.add("ada", "eve", "going")
    names = ["waits", "waits-too", "begins", "runs", "runs-too", "runs-also", "ends", "rests", "failed"]
    for name in names:
        await town.servers.start(BY, ServerKey("ada", name), Ask())
    c = t.servers.c
    phases = {"begins": Phase.STARTING, "ends": Phase.STOPPING} | dict.fromkeys(names[3:6], Phase.READY)
    async with town.db.write() as tx:
        for name, phase in phases.items():
            values = {"phase": phase, "phase_attempt": 1, "place": "here"}
            await tx.execute(sa.update(t.servers).where(c.name == name).values(**values))
        # One that its owner has stopped, and one whose start failed and that is not tried again.
        await tx.execute(sa.update(t.servers).where(c.name == "rests").values(wanted=Wanted.STOPPED))
        failed = {"phase": Phase.FAILED, "phase_attempt": 1, "reason": "It ended."}
        await tx.execute(sa.update(t.servers).where(c.name == "failed").values(**failed))
        gone = sa.update(t.users).where(t.users.c.name == "going")
        await tx.execute(gone.values(deleted=clock.now()))
    # Root, whose town it is, is a user as well.
    assert await status(town.db).load() == Load(users=3, waiting=2, starting=1, ready=3, stopping=1, jobs=0)


async def test_bulk_actions_count_until_they_are_over(town: Town) -> None:
    jobs, root = Jobs(town.db), await town.actor()
    for _ in range(2):
        await jobs.begin(root, BY, Kind.STOP_ALL, ["root"])
    assert (await status(town.db).load()).jobs == 2
    async with town.db.write() as tx:
        first = sa.select(sa.func.min(t.bulk_jobs.c.id)).scalar_subquery()
        await tx.execute(sa.update(t.bulk_jobs).where(t.bulk_jobs.c.id == first).values(finished=clock.now()))
    assert (await status(town.db).load()).jobs == 1


async def test_it_says_which_database_answers_and_how_soon(db: Database) -> None:
    name, milliseconds = await status(db).database()
    assert name == ("sqlite" if db.exclusive else "postgresql")
    assert 0 < milliseconds < 5000


async def test_of_other_hubs_those_that_were_heard_of_lately_are_told_of_once(db: Database) -> None:
    now = clock.now()
    told = status(db)
    me = told.replicas.id
    async with db.write() as tx:
        for one in (
            Replica("aaaa", "there", "p", 2, now - AWAY / 2),
            Replica("bbbb", "elsewhere", "p", 1, now - AWAY - timedelta(seconds=5)),
            Replica(me, "here", "p", 7, now - timedelta(seconds=1)),
        ):
            await upsert_replica(tx, one)
    found = [(one.id, one.place, one.edges) for one in await told.hubs(3)]
    # Only one hub at a time has a SQLite database, so that whatever rows there are say nothing.
    others = [] if db.exclusive else [("aaaa", "there", 2)]
    assert found == [(me, "here", 3), *others]


@pytest.mark.parametrize("edges", [0, 4])
async def test_the_hub_that_answers_is_told_of_with_its_edges_and_as_of_now(db: Database, edges: int) -> None:
    before = clock.now()
    [me] = await status(db).hubs(edges)
    assert (me.place, me.edges) == ("here", edges)
    assert before <= me.seen <= clock.now()
