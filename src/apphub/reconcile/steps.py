"""The steps that `decide` chooses, done: one outcome to record, or one call of a driver, each.

A driver is never called inside a transaction, and what it says is recorded only under the
lease it was asked under.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from apphub.access.model import NewToken
from apphub.access.roles import BUILT_IN
from apphub.db import Database
from apphub.db.changes import DUE, RIGHTS, heard, rights_of, routes_topic, server_topic
from apphub.kit import clock, metrics
from apphub.kit.secrets import Keys
from apphub.oauth.store import ServerClient
from apphub.profiles import store as profiles_store
from apphub.reconcile import store
from apphub.reconcile.idle import unused_at
from apphub.reconcile.outcomes import Outcome, Recorder, Release
from apphub.reconcile.ports import Ports
from apphub.reconcile.probe import answers
from apphub.runtimes.base import AddressTaken, LaunchFailed, Life, Ref, Runtime, Sight
from apphub.runtimes.setup import Setup
from apphub.servers import store as servers_store
from apphub.servers.launch import Surroundings, client_id, launch_spec, oauth_callback
from apphub.servers.model import LIVE, Phase, Server, Wanted
from apphub.servers.places import root_of
from apphub.servers.setup import CannotSetUp, setup_of
from apphub.settings import SettingsError
from apphub.settings.definition import profile_of

log = structlog.get_logger(__name__)

#: Bytes of a server's output that a failure quotes.
QUOTED = 2000
#: How long forgetting a server waits for the edges to forget it.
WITHDRAWAL = timedelta(seconds=3)
#: Stops under way in this process.
STOPPING = metrics.Stopwatch()


class Steps(Struct, frozen=True):
    """What the steps need."""

    db: Database
    runtime: Runtime
    ports: Ports
    keys: Keys
    around: Surroundings
    stop_grace: timedelta
    #: How often a running server is looked at whose end nobody tells of.
    poll: timedelta
    recorder: Recorder

    async def observe(self, server: Server) -> Sight:
        """What the driver sees of the server's current object."""
        if server.phase in (Phase.STOPPED, Phase.FAILED):
            return Sight(Life.ABSENT)
        begun = time.perf_counter()
        sight = await self.runtime.observe(server.ref)
        life = "running" if sight.life is Life.RUNNING else "stopped"
        metrics.POLLS.labels(life).observe(time.perf_counter() - begun)
        return sight

    async def answers(self, server: Server) -> bool:
        """Whether the server answers HTTP."""
        assert server.address is not None
        stripped = server.plan is not None and server.plan.strip_prefix
        path = "/" if stripped else root_of(server, self.around.urls)
        if server.plan is not None and server.plan.ready_path:
            path += server.plan.ready_path.lstrip("/")
        return await answers(server.address, path)

    async def launch(self, server: Server, lease: str) -> bool:
        """Create the object of the newest attempt; False when the server is no longer ours.

        The token is derived from the attempt, so that repeating this after a crash hands out
        the same one; the object is created before STARTING is recorded, for `create` returns
        one that exists.
        """
        token = self.keys.derive("server-token", server.id, server.attempt)
        if not await self._prepare(server, lease, token):
            return False
        try:
            spec = launch_spec(server, token, self.around, await self._setup(server))
            await self.runtime.create(spec)
        except AddressTaken:
            return await self._move(server, lease)
        except (LaunchFailed, CannotSetUp) as error:
            return await self._fail_launch(server, lease, str(error))
        begun = Outcome(
            server=server,
            lease=lease,
            values={"phase": Phase.STARTING, "phase_attempt": server.attempt},
            progress=(50, "Spawning server..."),
            # The address of a named one is its own from now on.
            topics=_topics(server, rerouted=bool(server.key.name)),
        )
        if not (done := await self.recorder.record(begun)):
            await self._take_back(Ref(server.id, server.attempt))
        return done

    async def _take_back(self, ref: Ref) -> None:
        """End what was launched too late: another hub took over meanwhile, and may be through with it."""
        async with self.db.read() as tx:
            row = await servers_store.find_server_by_id(tx, ref.server_id)
        if row is not None and (
            row.attempt == ref.attempt > row.phase_attempt or (row.ref == ref and row.phase in LIVE)
        ):
            return
        log.warning("server.launched_late", object=str(ref))
        grace = self.stop_grace.total_seconds()
        while (await self.runtime.delete(ref, grace=grace)).life is Life.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(1)

    async def ready(self, server: Server, lease: str) -> None:
        """Record that it answers, and let go of it; its route is published next."""
        now = clock.now()
        up = replace(server, phase=Phase.READY, last_activity=now)
        outcome = Outcome(
            server=server,
            lease=lease,
            values={"phase": up.phase, "last_activity": now},
            release=Release(self.next_look(up)),
            started=(now - server.admitted).total_seconds() if server.admitted is not None else None,
            topics=[DUE, *_topics(server, rerouted=True)],
        )
        if await self.recorder.record(outcome):
            _told_start(server, "success")

    async def stop(self, server: Server, lease: str, why: str | None, sight: Sight) -> bool:
        """Record that it is on its way down, and why if nobody asked for that."""
        reason = await self._reason(server, why, sight) if why else None
        if reason:
            log.info("server.failed", server=str(server.key), reason=reason.partition("\n")[0])
        # At rest it is the newest attempt that may have been launched without a record of it.
        attempt = server.phase_attempt if server.phase in LIVE else server.attempt
        # Who wanted it stopped may have said why.
        known: dict[str, Any] = {"reason": reason} if why else {}
        outcome = Outcome(
            server=server,
            lease=lease,
            values={"phase": Phase.STOPPING, "phase_attempt": attempt, **known},
            topics=_topics(server, rerouted=True),
        )
        done = await self.recorder.record(outcome)
        STOPPING.begin(server.id)
        if done and reason and server.phase is Phase.STARTING:
            _told_start(server, "failure")
        return done

    async def delete(self, server: Server) -> bool:
        """Delete the object; whether nothing of it is left."""
        sight = await self.runtime.delete(server.ref, grace=self.stop_grace.total_seconds())
        return sight.life is not Life.RUNNING

    async def rest(self, server: Server, lease: str) -> None:
        """Record that nothing is left, and let go of it; the server's tokens end, its port is free."""
        failed = server.reason and server.wanted is Wanted.RUNNING
        down = replace(server, phase=Phase.FAILED if failed else Phase.STOPPED)
        outcome = Outcome(
            server=server,
            lease=lease,
            values={"phase": down.phase, "ip": None, "port": None, "place": None},
            release=Release(self.next_look(down)),
            ends_tokens=True,
            topics=[DUE, *rights_of([server.user_id]), *_topics(server)],
        )
        await self.recorder.record(outcome)
        if (seconds := STOPPING.end(server.id)) is not None:
            metrics.STOPS.labels("success").observe(seconds)

    async def let_go(self, server: Server, lease: str) -> None:
        """Nothing is to be done now."""
        release = Release(self.next_look(server))
        await self.recorder.record(Outcome(server=server, lease=lease, release=release, topics=[DUE]))

    def next_look(self, server: Server) -> datetime | None:
        """When something may have to be done with a server that is let go of, unless there is news before."""
        poll = server.phase is Phase.READY and not self.runtime.watches
        looks = [clock.now() + self.poll if poll else None, unused_at(server)]
        if server.asked_again:  # while it ran: it is at rest now, and waits to be let in
            looks.append(clock.now())
        return min((look for look in looks if look is not None), default=None)

    async def forget(self, server: Server, lease: str) -> bool:
        """Delete the row, once no edge sends requests there; the person's too, if that was what it waited for.

        False when the server is no longer ours, or was asked for again meanwhile.
        """
        await self._withdrawn(server)
        async with self.db.write() as tx:
            if not await store.lock_removed(tx, server.id, lease):
                return False
            await store.delete_user_when_empty(tx, server.id)
            await servers_store.delete_server(tx, server.id)
            tx.changed(DUE, RIGHTS, server_topic(server.id))
        await self.runtime.forget(server.id)
        return True

    async def _setup(self, server: Server) -> Setup | None:
        """What the profile's version, as it was when the start was asked for, wants set up."""
        plan = server.plan
        if plan is None or not plan.set_up:
            return None
        async with self.db.read() as tx:
            definition = await profiles_store.find_definition(tx, plan.profile_id, plan.profile_version)
        if definition is None:
            raise LaunchFailed(f"Version {plan.profile_version} of the profile {plan.profile} is gone.")
        try:
            container = profile_of(plan.profile, definition).container
        except SettingsError as error:
            raise LaunchFailed(f"The profile {plan.profile} means nothing to this release: {error}") from None
        return setup_of(container, server.key) if container is not None else None

    async def _prepare(self, server: Server, lease: str, token: str) -> bool:
        note = f"Server at {self.around.urls.server(*server.key)}"
        new = NewToken(
            secret=token,
            user_id=server.user_id,
            server_id=server.id,
            scopes=BUILT_IN["server"][1],
            note=note,
        )
        client = ServerClient(
            server.id, client_id(server.key), oauth_callback(server, self.around.urls), note
        )
        outcome = Outcome(server=server, lease=lease, values={"reason": None}, token=new, client=client)
        return await self.recorder.record(outcome)

    async def _move(self, server: Server, lease: str) -> bool:
        async with self.db.write() as tx:
            assert server.place is not None
            [address] = await self.ports.choose(tx, server.place)
            return await store.update_leased(tx, server.id, lease, ip=address.ip, port=address.port)

    async def _fail_launch(self, server: Server, lease: str, reason: str) -> bool:
        log.info("server.failed", server=str(server.key), reason=reason)
        _told_start(server, "error")
        values = {"phase": Phase.STOPPING, "phase_attempt": server.attempt, "reason": reason}
        outcome = Outcome(server=server, lease=lease, values=values, topics=_topics(server))
        return await self.recorder.record(outcome)

    async def _reason(self, server: Server, why: str, sight: Sight) -> str | None:
        if why == "gone" and sight.exit_code == 0:
            return None  # it was told to end from inside, as JupyterLab's menu does
        status = f"exit status {sight.exit_code}" if sight.exit_code is not None else "exit status unknown"
        ended = sight.detail or f"{status[0].upper()}{status[1:]}."
        sentence = {
            "ended": f"The program ended before it answered. {ended}",
            "overdue": "The program did not answer in time. It may listen at another address than it was "
            "told to, or need longer than its profile allows.",
            "gone": f"The program is gone. {ended}",
        }[why]
        output = (await self.runtime.logs(server.ref, tail=QUOTED)).strip()
        return f"{sentence}\n{output}" if output else sentence

    async def _withdrawn(self, server: Server) -> None:
        with self.db.changes.listen(server_topic(server.id)) as news:
            end = asyncio.get_running_loop().time() + WITHDRAWAL.total_seconds()
            while (left := end - asyncio.get_running_loop().time()) > 0:
                news.clear()
                async with self.db.read() as tx:
                    row = await servers_store.find_server_by_id(tx, server.id)
                if row is None or row.routed_attempt is None:
                    return
                await heard(news, min(left, 0.5))


def _topics(server: Server, *, rerouted: bool = False) -> list[str]:
    topics = [server_topic(server.id)]
    return [*topics, routes_topic(server.key.user)] if rerouted else topics


def _told_start(server: Server, status: str) -> None:
    """Count how a start has ended, and how long after it was asked for."""
    if server.requested is not None:
        seconds = max(0.0, (clock.now() - server.requested).total_seconds())
        metrics.SPAWNS.labels(status, "").observe(seconds)
