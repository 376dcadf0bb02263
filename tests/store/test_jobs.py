"""Bulk actions: written down once, done by one hub at a time, each step with the rights of the moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from apphub.errors import Invalid
from apphub.jobs import Jobs, store
from apphub.jobs.model import MOST, Job, Kind, NoSuchJob
from apphub.kit import clock
from apphub.reconcile.jobs import JobRunner
from apphub.servers.model import Ask, ServerKey
from fakes.people import BY, Town

SOON = timedelta(seconds=30)


async def done(town: Town, job_id: int, name: str = "root") -> tuple[Job, dict[str, str | None]]:
    """Let a hub work until a job has ended; the job, and what could not be done."""
    runner = JobRunner(town.db, town.access, town.people, town.servers, town.views)
    work = asyncio.create_task(runner.run())
    actor = await town.actor(name)
    try:
        async with asyncio.timeout(30):
            while True:
                report = await Jobs(town.db).report(actor, job_id)
                if report.job.finished is not None:
                    return report.job, {one.item: one.problem for one in report.problems}
                await asyncio.sleep(0.02)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def test_what_is_chosen_twice_is_done_once_and_nothing_or_too_much_is_refused(town: Town) -> None:
    jobs, root = Jobs(town.db), await town.actor()
    job_id = await jobs.begin(root, BY, Kind.STOP_ALL, ["root", "root"])
    assert (await jobs.report(root, job_id)).job.total == 1
    for wrong in ([], [f"user-{number}" for number in range(MOST + 1)]):
        with pytest.raises(Invalid):
            await jobs.begin(root, BY, Kind.STOP_ALL, wrong)


async def test_a_job_is_its_owners_alone(town: Town) -> None:
    jobs = Jobs(town.db)
    await town.add("ada")
    job_id = await jobs.begin(await town.actor(), BY, Kind.STOP_ALL, ["ada"])
    ada = await town.actor("ada")
    assert await jobs.mine(ada) == []
    for forbidden in (jobs.report(ada, job_id), jobs.cancel(ada, BY, job_id)):
        with pytest.raises(NoSuchJob):
            await forbidden


async def test_one_hub_at_a_time_works_on_a_job_and_another_goes_on_with_it(town: Town) -> None:
    job_id = await Jobs(town.db).begin(await town.actor(), BY, Kind.STOP_ALL, ["a", "b"])
    now = clock.now()
    async with town.db.write() as tx:
        assert await store.claim(tx, "one", now, now + SOON) == job_id
        assert await store.claim(tx, "two", now, now + SOON) is None
        first, _ = await store.list_left(tx, job_id, 10)
        await store.note_step(tx, first.id, now, None)
        later = now + 2 * SOON
        assert await store.claim(tx, "two", later, later + SOON) == job_id
        assert not await store.renew(tx, job_id, "one", later + SOON)
        assert [one.item for one in await store.list_left(tx, job_id, 10)] == ["b"]


async def test_what_is_called_off_is_done_no_further(town: Town) -> None:
    jobs, root = Jobs(town.db), await town.actor()
    job_id = await jobs.begin(root, BY, Kind.DELETE, ["ada"])
    await jobs.cancel(root, BY, job_id)
    job, problems = await done(town, job_id)
    assert (job.cancelled, job.done, problems) == (True, 0, {})


async def test_servers_are_deleted_and_those_without_a_name_or_out_of_reach_are_not(town: Town) -> None:
    jobs, root = Jobs(town.db), await town.actor()
    await town.add("ada", "bob")
    for key in (ServerKey("ada", "lab"), ServerKey("ada", "")):
        await town.servers.start(BY, key, Ask())
        await town.servers.stop(BY, key)
    items = ["ada/lab", "ada/lab-2", "ada/"]
    refused, problems = await done(
        town, await jobs.begin(await town.actor("bob"), BY, Kind.REMOVE, items), "bob"
    )
    assert (refused.failed, set(problems)) == (3, set(items))
    assert await town.servers.find(ServerKey("ada", "lab")) is not None
    job, problems = await done(town, await jobs.begin(root, BY, Kind.REMOVE, items))
    # One that is not there was deleted before the hub could note it: that is no problem.
    assert (job.done, problems) == (3, {"ada/": "Cannot delete the default server"})
