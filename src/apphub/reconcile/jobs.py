"""Does what bulk actions wrote down: a few steps at a time, under a lease, so that nothing waits behind it.

A hub may die between doing a step and noting it: the step is then done once more, which every
one of them can bear. Rights are those that whoever asked has when the step is done.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from apphub.access.actions import Access
from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.audit import By
from apphub.db import Database
from apphub.db.changes import BULK, heard
from apphub.errors import HubError, Invalid
from apphub.jobs import store
from apphub.jobs.model import Item, Job, Kind
from apphub.kit import clock, secrets
from apphub.people import People
from apphub.people.model import NoSuchUser
from apphub.servers.actions import Servers
from apphub.servers.model import NoSuchServer, ServerKey
from apphub.servers.views import Account, Views

log = structlog.get_logger(__name__)

#: Steps between two looks at whether the job is still ours.
BATCH = 20
LEASE = timedelta(seconds=30)
#: It looks at least this often, for news of other replicas may be lost.
IDLE = 10.0
#: Nobody waits for the servers of one who is deleted.
NO_WAIT = timedelta(0)


class JobRunner(Struct, frozen=True):
    """The loop."""

    db: Database
    access: Access
    people: People
    servers: Servers
    views: Views

    async def run(self) -> None:
        """Work until cancelled."""
        if self.db.exclusive:
            async with self.db.write() as tx:
                await store.break_leases(tx)
        with self.db.changes.listen(BULK) as news:
            while True:
                news.clear()
                if not await self._turn():
                    await heard(news, IDLE)

    async def _turn(self) -> bool:
        """Work on one job for a while; whether there was any."""
        lease, now = secrets.new_token()[:16], clock.now()
        async with self.db.read() as tx:  # most often there is nothing, and nothing to write
            if not await store.is_waiting(tx, now):
                return False
        async with self.db.write() as tx:
            job_id = await store.claim(tx, lease, now, now + LEASE)
        if job_id is None:
            return False
        go_on = True
        while go_on:
            go_on = await self._batch(job_id, lease)
        return True

    async def _batch(self, job_id: int, lease: str) -> bool:
        """Some steps; whether to go on."""
        async with self.db.write() as tx:
            ours = await store.renew(tx, job_id, lease, clock.now() + LEASE)
        async with self.db.read() as tx:
            job = await store.find_job(tx, job_id)
            left = await store.list_left(tx, job_id, BATCH)
        if not ours or job is None or job.finished is not None:
            return False
        if not left:
            async with self.db.write() as tx:
                await store.finish(tx, job_id, clock.now())
            log.info("job.finished", job=job_id, kind=job.kind, done=job.done, failed=job.failed)
            return False
        for item in left:
            problem = await self._step(job, item)
            async with self.db.write() as tx:
                await store.note_step(tx, item.id, clock.now(), problem)
        return True

    async def _step(self, job: Job, item: Item) -> str | None:
        """Do one step; why it could not be done."""
        try:
            actor = await self.access.owner(job.user)
            if actor is None:
                raise Invalid("Whoever asked for this is gone.")
            await self._do(actor, job, item)
        except HubError as error:
            return str(error)[:500]
        except Exception:
            log.exception("job.fault", job=job.id, item=item.item)
            return "This could not be done; the hub's log says why."
        return None

    async def _do(self, actor: Actor, job: Job, item: Item) -> None:
        by = By(actor.label, address=job.address, request_id=job.request_id)
        user, slash, name = item.item.partition("/")
        account = await self.views.find_account(user)
        if account is None:
            if job.kind is Kind.DELETE:
                return  # done before, and not noted
            raise NoSuchUser(user)
        whom = Target(user=user, groups=frozenset(account.person.groups))
        match job.kind:
            case Kind.STOP:
                actor.demand(replace(whom, server=f"{user}/{name}"), "delete:servers")
                await self.servers.stop(by, ServerKey(user, name if slash else ""))
            case Kind.REMOVE:
                actor.demand(replace(whom, server=f"{user}/{name}"), "delete:servers")
                with suppress(NoSuchServer):  # done before, and not noted
                    await self.servers.stop(by, ServerKey(user, name), remove=True)
            case Kind.STOP_ALL:
                await self._stop_all(actor, by, account, whom)
            case Kind.DELETE:
                actor.demand(whom, "delete:users")
                if user == actor.name:
                    raise Invalid("Nobody deletes themselves.")
                await self.servers.delete_user(by, user, patience=NO_WAIT)
            case Kind.ADD:
                actor.demand(Target(group=job.target), "groups")
                await self.people.add_members(actor, by, job.target, [user])
            case Kind.TAKE:
                actor.demand(Target(group=job.target), "groups")
                await self.people.remove_members(by, job.target, [user])

    async def _stop_all(self, actor: Actor, by: By, account: Account, whom: Target) -> None:
        for server in account.servers:
            if server.active:
                actor.demand(replace(whom, server=str(server.key)), "delete:servers")
                await self.servers.stop(by, server.key)
