"""Publish routes whenever they differ from what the edges have.

Routes are not recorded and not a step of any server: they are all servers whose phase is
READY. A hub that dies half-way leaks none, for the next one derives them again. This loop
alone writes `routed_attempt`, once every edge of every replica has the route.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from apphub.db import Database
from apphub.db.changes import ROUTES, SERVICES, routes_topic, server_topic
from apphub.db.lock import ROUTED, take_turns
from apphub.kit import clock, metrics
from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.kit.urls import segment
from apphub.passes.actions import audience
from apphub.passes.store import list_denied
from apphub.proxy.base import AT_HOST, DataPlane, Guard, Route, Scope, by_scope, host_scope, scope_of
from apphub.reconcile import store
from apphub.reconcile.services import service_routes
from apphub.replicas import Replicas
from apphub.replicas.store import delete_held, has_others, upsert_held

log = structlog.get_logger(__name__)

#: Users whose routes are published in one go.
TOGETHER = 1000
#: Seconds after which the next follow, so that what comes meanwhile goes together.
APART = 0.05
#: Seconds that other replicas have to confirm a route that all edges of this one have.
PATIENCE = 2.0


def user_scope(name: str) -> str:
    """The scope that holds the routes of a person's servers."""
    return f"user/{segment(name)}"


def routes_of(
    rows: Iterable[Any],
    denied: Mapping[int, Sequence[str]],
    stream_life: int,
    apps: AppHosts | None = None,
    *,
    doors: bool = False,
) -> list[Route]:
    """The routes of ready servers; `apps` are the hosts that those have which were started for one.

    `doors`: each is reached by the door of its machine.
    """
    routes = []
    for server_id, user, server, _, ip, port, plan, epoch, place in rows:
        prefix = f"/user/{segment(user)}/{segment(server)}/" if server else f"/user/{segment(user)}/"
        door = place if doors else ""
        if not plan["guarded"]:
            routes.append(Route(prefix, Address(ip, port), place=door))
            continue
        guard = Guard(
            id=audience(server_id),
            epoch=epoch,
            denied=tuple(denied.get(server_id, ())),
            user_header=plan["user_header"].lower(),
            groups_header=plan["groups_header"].lower(),
        )
        # Plans of an older release do not say; an app that lost its host is at `/` all the same.
        alone = plan.get("own_domain", False)
        origin = apps.origin(user, server, server_id) if alone and apps is not None else ""
        strip = plan["strip_prefix"] or alone
        routes.append(Route(prefix, Address(ip, port), guard, strip, stream_life, origin, door))
    return routes


def routes_of_asleep(names: Iterable[tuple[str, str]]) -> list[Route]:
    """Routes of named servers that do not run: their addresses are theirs, and not their owner's default server's."""
    return [Route(f"/user/{segment(user)}/{segment(server)}/", None) for user, server in names]


def routes_of_bare(names: Iterable[tuple[str, str]]) -> list[Route]:
    """Ways to the hub, which knows the slash, from addresses of named servers that lack their last one."""
    return [Route(f"/user/{segment(user)}/{segment(server)}/", None, bare=True) for user, server in names]


def _count(changes: Mapping[str, Scope], published: bool, seconds: float) -> None:
    """Once for everybody whose routes were published together."""
    outcome = "success" if published else "failure"
    for name, routes in changes.items():
        if name.startswith(AT_HOST):
            continue  # counted with the path that leads there
        (metrics.ROUTES_ADDED if routes else metrics.ROUTES_DELETED).labels(outcome).observe(seconds)


class Publisher:
    """Tells the data plane what changed, many users at a time.

    Every replica tells its own edges everything. A route counts once the edges of all replicas
    have it: the last replica to hear so records it. One that says nothing is waited for a little.
    """

    def __init__(
        self,
        db: Database,
        plane: DataPlane,
        stream_life: timedelta,
        apps: AppHosts | None = None,
        replicas: Replicas | None = None,
        *,
        doors: bool = False,
    ) -> None:
        self._db = db
        self._apps = apps
        self._doors = doors
        #: Scopes of apps' own hosts that the edges have, by the scope of the person whose apps they are.
        self._hosts: dict[str, dict[str, Scope]] = {}
        self._stream_life = int(stream_life.total_seconds())
        self._plane = plane
        self._replicas = replicas if replicas is not None and replicas.several else None
        self._published: set[str] = set()
        self._service_scopes: set[str] = set()
        self._services_turn = asyncio.Lock()
        self._late: asyncio.Queue[tuple[float, list[str], dict[int, int]]] = asyncio.Queue()

    async def start(self) -> None:
        """Begin with the whole table."""
        rows, routes = await self._routes(None)
        services = await service_routes(self._db, doors=self._doors)
        self._service_scopes = set(by_scope(services))
        self._keep_hosts((), routes)
        self._published = {row[1] for row in rows}
        with metrics.timed(metrics.ROUTES_CHECKED):
            await self._plane.start(by_scope([*routes, *services]))

    async def changed(self, users: Iterable[str]) -> None:
        """Have the routes of these people looked at, by every replica."""
        async with self._db.write() as tx:
            tx.changed(*map(routes_topic, users))

    async def services_changed(self) -> None:
        """The routes of services may have changed; those of services that are gone are withdrawn.

        One after the other: what is found later must not be told before, and whoever finds nothing new
        to tell has waited until the edges have it.
        """
        async with self._services_turn:
            scopes = by_scope(await service_routes(self._db, doors=self._doors))
            gone: dict[str, Scope] = dict.fromkeys(self._service_scopes - scopes.keys(), ())
            self._service_scopes = set(scopes)
            if self._plane.edges:
                await self._plane.publish({**gone, **scopes})
            else:
                self._plane.note({**gone, **scopes})

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_people())
            group.create_task(self._follow_services())
            group.create_task(self._insist())

    async def _follow_people(self) -> None:
        with self._db.changes.gather(ROUTES) as box:
            while True:
                names, missed = await box.take()
                if missed:
                    async with self._db.read() as tx:
                        names |= self._published | await store.list_routed_users(tx)
                users = list(names)
                for begin in range(0, len(users), TOGETHER):
                    part = users[begin : begin + TOGETHER]
                    if not await self._publish(part):
                        # No edge is there to hear it: keep the change, and look again.
                        box.put(part)
                        await asyncio.sleep(0.1)
                await asyncio.sleep(APART)

    async def _follow_services(self) -> None:
        with self._db.changes.listen(SERVICES) as news:
            while True:
                await news.wait()
                news.clear()
                await self.services_changed()

    async def _insist(self) -> None:
        """Record what some replica has not confirmed in time: its edges will have it, or it is gone."""
        while True:
            due, users, routed = await self._late.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if await self._record(users, routed, insist=True):
                log.warning("routes.unconfirmed", users=len(users))

    async def _routes(self, users: Sequence[str] | None) -> tuple[list[Any], list[Route]]:
        async with self._db.read() as tx:
            rows = await store.list_ready(tx, users)
            guarded = [row[0] for row in rows if row[6]["guarded"]]
            denied = await list_denied(tx, guarded, clock.now()) if guarded else {}
            # One that asks by itself is JupyterHub's kind, and may have a page of that name: `lab`.
            above = {row[1] for row in rows if row[6]["guarded"] and not row[2]}
            asleep = await store.list_asleep(tx, above) if above else []
        bare = [(row[1], row[2]) for row in rows if row[2] and row[1] in above]
        running = routes_of(rows, denied, self._stream_life, self._apps, doors=self._doors)
        return rows, [*running, *routes_of_asleep(asleep), *routes_of_bare(bare)]

    def _keep_hosts(self, users: Iterable[str], routes: Iterable[Route]) -> None:
        for user in users:
            self._hosts.pop(user_scope(user), None)
        for route in routes:
            if route.host:
                self._hosts.setdefault(scope_of(route.prefix), {})[host_scope(route.host)] = ()

    async def _publish(self, users: list[str]) -> bool:
        """Whether that is done: some edge is there."""
        rows, routes = await self._routes(users)
        changes: dict[str, Scope] = {user_scope(name): () for name in users}
        for name in users:
            changes |= self._hosts.get(user_scope(name), {})
        changes |= by_scope(routes)
        self._published = (self._published - set(users)) | {row[1] for row in rows}
        others = await self._has_others()
        if self._plane.edges:
            await self._tell_edges(changes)
        else:
            self._plane.note(changes)
        self._keep_hosts(users, routes)
        if not self._plane.edges and not others:
            return False
        routed = {row[0]: row[3] for row in rows}
        if others:
            await self._confirm(users, routed)
        else:
            await self._record(users, routed, insist=True)
        return True

    async def _tell_edges(self, changes: Mapping[str, Scope]) -> None:
        begun = time.perf_counter()
        published = await self._plane.publish(changes)
        if not published and not self._plane.edges:
            return
        _count(changes, published, time.perf_counter() - begun)
        if not published:
            log.warning("routes.unacknowledged", users=len(changes))

    async def _has_others(self) -> bool:
        if self._replicas is None:
            return False
        async with self._db.read() as tx:
            return await has_others(tx, self._replicas.id, self._replicas.since())

    async def _confirm(self, users: list[str], routed: dict[int, int]) -> None:
        """Say that all edges of this replica have it, and record it if that was the last to be waited for."""
        assert self._replicas is not None
        async with self._db.write() as tx:
            unsettled = await store.list_unsettled(tx, users)
            await upsert_held(tx, self._replicas.id, {key: routed.get(key, 0) for key in unsettled})
        # Only what is committed is seen by the others: whoever looks last sees all.
        await self._record(users, routed, insist=False)
        async with self._db.read() as tx:
            left = await store.list_unsettled(tx, users)
        if left:
            due = asyncio.get_running_loop().time() + PATIENCE
            self._late.put_nowait((due, users, routed))

    async def _record(self, users: list[str], routed: dict[int, int], *, insist: bool) -> int:
        """Record what counts; how many servers that changes."""
        others = None
        if self._replicas is not None and not insist:
            others = {"besides": self._replicas.id, "since": self._replicas.since()}
        async with self._db.write() as tx:
            if self._replicas is not None:
                await take_turns(tx, ROUTED)
            changed = await store.update_routed(tx, users, routed, others)
            if changed and others is not None:
                await delete_held(tx, changed)
            tx.changed(*(server_topic(server_id) for server_id in changed))
        return len(changed)
