"""Claim servers that are due, take each to where it can rest, and let go.

Rows hold the truth, so any replica can take over at any point: a claim is a lease that
lapses. News (`DUE`) only makes it quick. While a server starts or stops it is held and
looked after by one task; at rest nobody holds it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from apphub.admission import Admission
from apphub.admission import store as admission_store
from apphub.admission.model import NeverFits
from apphub.db import Database, DatabaseAway, Tx
from apphub.db.changes import DUE, heard, server_topic
from apphub.db.lock import ADMISSION, take_turns
from apphub.errors import Unavailable
from apphub.kit import clock, metrics
from apphub.reconcile import store
from apphub.reconcile.decide import Seen, Standing, Step, decide
from apphub.reconcile.idle import stop_unused, unused_at
from apphub.reconcile.ports import NoPortLeft
from apphub.reconcile.steps import Steps
from apphub.replicas import Replicas
from apphub.runtimes.base import Life, Ref, Sight
from apphub.servers.lookup import Lookup
from apphub.servers.model import LIVE, Phase, Server

log = structlog.get_logger(__name__)

#: A claim holds this long without being renewed.
LEASE = timedelta(seconds=30)
#: Servers claimed in one transaction.
CLAIM = 100
#: Between two looks at least: what comes meanwhile goes together.
APART = timedelta(milliseconds=50)
#: The loop looks at the rows at least this often, news or not.
IDLE = timedelta(seconds=10)
#: Between two looks for objects that no row knows of, where other hubs may have left some.
AROUND = timedelta(minutes=1)
#: After a fault a server is left alone for so long.
POSTPONED = timedelta(seconds=2)
#: Between two probes of a starting server: soon at first, then less often.
FIRST_PROBE, LAST_PROBE = 0.01, 0.25


class Reconciler:
    """The loop of one hub."""

    def __init__(
        self,
        db: Database,
        steps: Steps,
        start_timeout: timedelta,
        admission: Admission,
        replicas: Replicas | None = None,
    ) -> None:
        self._db = db
        self._replicas = replicas or Replicas(db, steps.runtime.place)
        self._steps = steps
        self._start_timeout = start_timeout
        self._lookup = Lookup(db)
        self._admission = admission
        self._place = steps.runtime.place
        self._held: set[int] = set()
        self._ended: set[Ref] = set()
        self._exits = asyncio.Event()
        steps.runtime.on_exit(self._exited)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            with metrics.timed(metrics.ADOPTION):
                await self._let_go_of_all()
                await self._adopt(group)
            group.create_task(self._watch_exits())
            if self._replicas.several:
                group.create_task(self._look_around(group))
            with self._db.changes.listen(DUE) as news:
                while True:
                    news.clear()
                    begun = clock.now()
                    claimed = await self._claim()
                    for server_id, lease in claimed:
                        self._held.add(server_id)
                        task = group.create_task(self._take(server_id, lease))
                        task.add_done_callback(self._letting_go(server_id))
                    if len(claimed) < CLAIM:
                        await asyncio.sleep((begun + APART - clock.now()).total_seconds())
                        await self._rest(news)

    def _letting_go(self, server_id: int) -> Callable[[asyncio.Task[None]], None]:
        def done(_: asyncio.Task[None]) -> None:
            self._held.discard(server_id)
            if self._ended:
                self._exits.set()

        return done

    async def _rest(self, news: asyncio.Event) -> None:
        async with self._db.read() as tx:
            due = await store.find_next_due(tx, self._place)
        pause = IDLE if due is None else min(IDLE, due - clock.now())
        await heard(news, max(pause.total_seconds(), 0.005))

    async def _claim(self) -> list[tuple[int, str]]:
        """Lease what is due, and let in as many of those that wait as there is room for."""
        now = clock.now()
        async with self._db.read() as tx:
            due, waits = bool(await self._due(tx, now, 1)), await self._may_admit(tx, now)
        if not due and not waits:
            return []
        async with self._db.write() as tx:
            ids = await self._due(tx, now) if due else []
            if waits:
                ids += await self._admit(tx, now, CLAIM - len(ids))
            lease = f"{self._replicas.id}-{secrets.token_hex(8)}"
            if ids:
                await store.lease(tx, ids, lease, now + LEASE)
        return [(server_id, lease) for server_id in ids]

    async def _due(self, tx: Tx, now: datetime, most: int = CLAIM) -> list[int]:
        return await store.list_due(tx, self._place, now, most)

    async def _may_admit(self, tx: Tx, now: datetime) -> bool:
        found = await self._admission.next(tx, now, 1)
        return bool(found.let_in or found.never)

    async def _admit(self, tx: Tx, now: datetime, most: int) -> list[int]:
        """Let in whom there is room for: counted and taken by one replica at a time, so never too much."""
        await take_turns(tx, ADMISSION)
        found = await self._admission.next(tx, now, most)
        for server_id, shortage in found.never.items():
            if await store.turn_away(tx, server_id, str(NeverFits(shortage))):
                log.info("server.never_fits", server=server_id, why=str(shortage))
                tx.changed(server_topic(server_id))
        if not found.let_in:
            return []
        try:
            addresses = await self._steps.ports.choose(tx, self._place, len(found.let_in))
        except NoPortLeft as error:
            log.warning("reconcile.no_port", why=str(error))
            return []
        let_in = await store.admit(tx, dict(zip(found.let_in, addresses, strict=False)), self._place, now)
        if let_in:
            await admission_store.note_turns(tx, let_in)
        return let_in

    async def _take(self, server_id: int, lease: str) -> None:
        """One server, until it rests or is no longer ours. A fault of ours never ends the loop."""
        try:
            await self._walk(server_id, lease)
        except DatabaseAway:
            raise  # all of the loop waits for it, and begins anew
        except Unavailable as error:
            log.warning("reconcile.postponed", server=server_id, why=str(error))
            await self._postpone(server_id, lease)
        except Exception:
            log.exception("reconcile.fault", server=server_id)
            await self._postpone(server_id, lease)

    async def _postpone(self, server_id: int, lease: str) -> None:
        """Give a server back that nothing could be done for now; it is tried again soon."""
        async with self._db.write() as tx:
            later = clock.now() + POSTPONED
            await store.update_leased(tx, server_id, lease, lease=None, lease_until=None, due=later)
            tx.changed(DUE)

    async def _walk(self, server_id: int, lease: str) -> None:
        renewed = clock.now()
        pause = FIRST_PROBE
        with self._db.changes.listen(server_topic(server_id)) as news:
            while True:
                news.clear()
                server = await self._lookup.find(server_id)
                if server is None:
                    return
                sight = await self._steps.observe(server)
                seen = Seen(sight.life, await self._answers(server, sight))
                step, why = decide(self._standing(server), seen)
                if step is Step.WAIT and server.phase is not Phase.STARTING:
                    if await self._is_unused(server):
                        continue
                    await self._steps.let_go(server, lease)
                    return
                if not await self._do(step, why, server, sight, lease):
                    return
                if step is Step.WAIT:
                    await heard(news, pause)
                    pause = min(pause * 1.5, LAST_PROBE)
                if clock.now() - renewed > LEASE / 3:
                    renewed = clock.now()
                    if not await self._renew(server_id, lease):
                        return

    async def _answers(self, server: Server, sight: Sight) -> bool:
        return (
            server.phase is Phase.STARTING
            and sight.life is Life.RUNNING
            and await self._steps.answers(server)
        )

    def _standing(self, server: Server) -> Standing:
        timeout = self._start_timeout
        if server.plan is not None and server.plan.start_timeout is not None:
            timeout = timedelta(seconds=server.plan.start_timeout)
        admitted = server.admitted
        return Standing(
            wanted=server.wanted,
            phase=server.phase,
            asked_again=server.asked_again,
            overdue=admitted is not None and clock.now() - admitted > timeout,
            placed=server.place is not None,
        )

    async def _do(self, step: Step, why: str | None, server: Server, sight: Sight, lease: str) -> bool:
        """Whether to go on with this server."""
        match step:
            case Step.LAUNCH:
                return await self._steps.launch(server, lease)
            case Step.READY:
                await self._steps.ready(server, lease)
                return False
            case Step.STOP:
                return await self._steps.stop(server, lease, why, sight)
            case Step.DELETE:
                if not await self._steps.delete(server):
                    await asyncio.sleep(0.2)
                return True
            case Step.REST:
                await self._steps.rest(server, lease)
                return False
            case Step.FORGET:
                if not await self._steps.forget(server, lease):
                    await self._steps.let_go(server, lease)
                return False
            case Step.WAIT:
                return True

    async def _is_unused(self, server: Server) -> bool:
        end = unused_at(server)
        return end is not None and end <= clock.now() and await stop_unused(self._db, server.id)

    async def _renew(self, server_id: int, lease: str) -> bool:
        async with self._db.write() as tx:
            return await store.renew(tx, server_id, lease, clock.now() + LEASE)

    def _exited(self, ref: Ref) -> None:
        """An object has ended: wake the task that holds its server, and remember it for when nobody does."""
        self._ended.add(ref)
        self._exits.set()
        self._db.changes.tell([server_topic(ref.server_id)])

    async def _watch_exits(self) -> None:
        """Have servers looked at whose object has ended while nobody held them."""
        while True:
            await self._exits.wait()
            self._exits.clear()
            ended = [ref for ref in self._ended if ref.server_id not in self._held]
            self._ended.difference_update(ended)
            if ended:
                async with self._db.write() as tx:
                    if await store.mark_ended(tx, ended, clock.now()):
                        tx.changed(DUE)

    async def _let_go_of_all(self) -> None:
        """Nothing is held yet: what is so by the rows was by a hub that has died, or before the database was away."""
        async with self._db.write() as tx:
            await store.break_leases(tx, None if self._db.exclusive else self._replicas.id, clock.now())

    async def _look_around(self, group: asyncio.TaskGroup) -> None:
        """Look again when a hub of this place has gone, which watched what it had started; and now and then."""
        while True:
            try:
                async with asyncio.timeout(AROUND.total_seconds()):
                    await self._replicas.lost.wait()
            except TimeoutError:
                if not await self._replicas.turn(f"objects at {self._place}", AROUND):
                    continue
            self._replicas.lost.clear()
            await self._adopt(group)

    async def _adopt(self, group: asyncio.TaskGroup) -> None:
        """Compare rows with what really runs here; end what no row knows of.

        Objects first, then rows: what another hub of this place begins meanwhile was asked for by
        then, and a name that no row wants now is never wanted again.
        """
        sights = await self._steps.runtime.list()
        async with self._db.read() as tx:
            rows = await store.list_live_refs(tx, self._place)
        missing = [
            Ref(server_id, attempt)
            for server_id, (attempt, phase, _) in rows.items()
            if phase in LIVE and Ref(server_id, attempt) not in sights
        ]
        async with self._db.write() as tx:
            if await store.mark_ended(tx, missing, clock.now()):
                tx.changed(DUE)
        ended = [ref for ref, sight in sights.items() if sight.life is not Life.RUNNING]
        for ref in ended:
            self._exited(ref)
        for ref in sights:
            attempts = rows.get(ref.server_id)
            if attempts is None or ref.attempt not in (attempts[0], attempts[2]):
                log.info("orphan.deleted", object=str(ref))
                group.create_task(self._delete_orphan(ref))

    async def _delete_orphan(self, ref: Ref) -> None:
        grace = self._steps.stop_grace.total_seconds()
        while (await self._steps.runtime.delete(ref, grace=grace)).life is Life.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(1)
