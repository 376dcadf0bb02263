"""What happens to running servers when their owners may no longer launch them.

Whatever takes such a right away (somebody leaves a group, a group or binding goes, the
settings change) notes in its own transaction whose servers must be looked at. This loop takes
those notes out and follows the policy of each profile: nothing, a stop at once, or a stop
after a grace, unless the right has come back by then. Nobody else is looked at.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from enum import Enum

import structlog
from msgspec import Struct

from apphub.audit import HUB, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import CHECKS, DUE, heard, server_topic
from apphub.db.lock import LAUNCH_RIGHTS, take_turns
from apphub.kit import clock
from apphub.people import store as people_store
from apphub.profiles import Profiles
from apphub.profiles.model import Catalogue
from apphub.reconcile import store
from apphub.servers import store as servers_store
from apphub.servers.model import LIVE, Server, Wanted
from apphub.settings.policy import grace_of

log = structlog.get_logger(__name__)

#: It looks at least this often whether a grace is over, for news of other replicas may be lost.
IDLE = timedelta(seconds=30)


class Verdict(Enum):
    """What is to be done with a server."""

    KEEP = "keep"
    STOP = "stop"
    #: The grace begins.
    WARN = "warn"
    #: The right has come back.
    SPARE = "spare"


def judge(
    *, may_launch: bool, begun: bool, grace: timedelta | None, ends: datetime | None, now: datetime
) -> Verdict:
    """What is to be done: `grace` None lets a server go on for ever, nothing not at all."""
    if may_launch or (grace is None and begun):
        return Verdict.KEEP if ends is None else Verdict.SPARE
    if not begun or grace is None or not grace:
        return Verdict.STOP  # what has not begun is a next start, which every policy blocks
    if ends is None:
        return Verdict.WARN
    return Verdict.STOP if ends <= now else Verdict.KEEP


class LaunchRights(Struct, frozen=True):
    """The loop."""

    db: Database
    profiles: Profiles
    #: Of profiles that say nothing themselves.
    policy: str

    async def run(self) -> None:
        """Look until cancelled."""
        with self.db.changes.listen(CHECKS) as news:
            while True:
                news.clear()
                if not await self.look():
                    await self._rest(news)

    async def look(self) -> bool:
        """Look at what has been noted and at what ends; whether there was anything."""
        now = clock.now()
        async with self.db.read() as tx:
            ends = await store.find_next_end(tx)
            if not await store.has_checks(tx) and (ends is None or ends > now):
                return False
        async with self.db.write() as tx:
            await take_turns(tx, LAUNCH_RIGHTS)
            users, profiles = await store.take_checks(tx)
            catalogue = await self.profiles.current(tx)
            for server, end in await store.list_launched(tx, users, profiles, now):
                await self._follow(tx, catalogue, server, end, now)
        return True

    async def _follow(
        self, tx: Tx, catalogue: Catalogue, server: Server, ends: datetime | None, now: datetime
    ) -> None:
        plan = server.plan
        person = await people_store.find_person(tx, server.key.user)
        offer = catalogue.offers.get(plan.profile) if plan is not None else None
        if person is None or plan is None:
            return
        # A profile that is withdrawn is offered no longer; what runs by it goes on.
        policy = (offer.profile.on_group_loss if offer is not None else None) or self.policy
        verdict = judge(
            may_launch=offer is None or catalogue.is_open(plan.profile, person),
            begun=server.phase in LIVE and not server.asked_again,
            grace=grace_of(policy),
            ends=ends,
            now=now,
        )
        why = f"{person.name} may no longer start {plan.title}"
        match verdict:
            case Verdict.STOP:
                await self._stop(tx, server, f"Stopped: {why}.", now)
            case Verdict.WARN:
                end = now + (grace_of(policy) or timedelta(0))
                await servers_store.update_server(tx, server.id, ends=end)
                await self._tell(tx, server, f"Will be stopped at {end:%Y-%m-%d %H:%M:%S} UTC: {why}.", now)
            case Verdict.SPARE:
                await servers_store.update_server(tx, server.id, ends=None)
            case Verdict.KEEP:
                pass

    async def _stop(self, tx: Tx, server: Server, why: str, now: datetime) -> None:
        await servers_store.update_server(tx, server.id, ends=None, reason=why)
        await servers_store.update_wanted(tx, server.id, Wanted.STOPPED, now)
        await self._tell(tx, server, why, now)
        insert_entry(tx, HUB, "server.stop", server.label, after={"why": why})
        tx.changed(DUE)
        log.info("server.right_lost", server=str(server.key))

    async def _tell(self, tx: Tx, server: Server, message: str, now: datetime) -> None:
        await servers_store.insert_event(
            tx, server.id, server.attempt, progress=100, message=message, now=now
        )
        tx.changed(server_topic(server.id))

    async def _rest(self, news: asyncio.Event) -> None:
        async with self.db.read() as tx:
            ends = await store.find_next_end(tx)
        pause = IDLE if ends is None else min(IDLE, ends - clock.now())
        await heard(news, max(pause.total_seconds(), 0.01))
