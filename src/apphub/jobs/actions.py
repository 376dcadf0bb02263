"""Begin bulk actions, look at them, call them off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from apphub.access.actor import Actor
from apphub.audit import By, insert_entry
from apphub.db import Database
from apphub.db.changes import BULK
from apphub.errors import Invalid
from apphub.jobs import store
from apphub.jobs.model import MOST, Job, Kind, NoSuchJob, Report
from apphub.kit import clock

#: Finished jobs are remembered for so long.
REMEMBERED = timedelta(days=7)
#: Problems that are shown of one job.
SHOWN = 200


class Jobs(Struct, frozen=True):
    """Bulk actions. Rights are asked for each step when it is done, as they are then."""

    db: Database

    async def begin(self, actor: Actor, by: By, kind: Kind, items: Sequence[str], *, target: str = "") -> int:
        """Write down what is to be done to each of these; the id of the job."""
        wanted = list(dict.fromkeys(items))
        if not wanted:
            raise Invalid("Nothing was chosen.", "Tick what it should be done to.")
        if len(wanted) > MOST:
            raise Invalid(f"That is {len(wanted)} at once; {MOST} are the most.", "Narrow the search.")
        assert actor.user_id is not None
        async with self.db.write() as tx:
            job_id = await store.insert_job(tx, by, actor.user_id, kind, target, wanted, clock.now())
            after = {"kind": kind, "count": len(wanted), "target": target}
            insert_entry(tx, by, "job.create", f"job:{job_id}", after=after)
            tx.changed(BULK)
        return job_id

    async def report(self, actor: Actor, job_id: int) -> Report:
        """How far a job of one's own has come; raises `NoSuchJob`."""
        async with self.db.read() as tx:
            job = await store.find_job(tx, job_id)
            if job is None or job.user_id != actor.user_id:
                raise NoSuchJob
            return Report(job, await store.list_problems(tx, job_id, SHOWN))

    async def mine(self, actor: Actor, most: int = 20) -> list[Job]:
        """One's last jobs."""
        if actor.user_id is None:
            return []
        async with self.db.read() as tx:
            return await store.list_jobs_of(tx, actor.user_id, most)

    async def cancel(self, actor: Actor, by: By, job_id: int) -> None:
        """Do no more of a job of one's own; what is done stays done."""
        await self.report(actor, job_id)
        async with self.db.write() as tx:
            await store.finish(tx, job_id, clock.now(), cancelled=True)
            insert_entry(tx, by, "job.cancel", f"job:{job_id}")

    async def forget_old(self) -> None:
        """Forget jobs that ended long ago."""
        async with self.db.write() as tx:
            await store.delete_finished(tx, clock.now() - REMEMBERED)
