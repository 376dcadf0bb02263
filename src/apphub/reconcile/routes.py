"""Publish routes whenever they differ from what the edges have.

Routes are not recorded and not a step of any server: they are all servers whose phase is
READY. A hub that dies half-way leaks none, for the next one derives them again. This loop
alone writes `routed_attempt`, once every connected edge has the route.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from apphub.db import Database
from apphub.db.changes import server_topic
from apphub.kit import clock, metrics
from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.kit.urls import segment
from apphub.passes.actions import audience
from apphub.passes.store import list_denied
from apphub.proxy.base import AT_HOST, DataPlane, Guard, Route, Scope, by_scope, host_scope, scope_of
from apphub.reconcile import store
from apphub.reconcile.services import service_routes

log = structlog.get_logger(__name__)


def user_scope(name: str) -> str:
    """The scope that holds the routes of a person's servers."""
    return f"user/{segment(name)}"


def routes_of(
    rows: Iterable[Any],
    denied: Mapping[int, Sequence[str]],
    stream_life: int,
    apps: AppHosts | None = None,
) -> list[Route]:
    """The routes of ready servers; `apps` are the hosts that those have which were started for one."""
    routes = []
    for server_id, user, server, _, ip, port, plan, epoch in rows:
        prefix = f"/user/{segment(user)}/{segment(server)}/" if server else f"/user/{segment(user)}/"
        if not plan["guarded"]:
            routes.append(Route(prefix, Address(ip, port)))
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
        routes.append(Route(prefix, Address(ip, port), guard, strip, stream_life, origin))
    return routes


def routes_of_asleep(names: Iterable[tuple[str, str]]) -> list[Route]:
    """Routes of named servers that do not run: their addresses are theirs, and not their owner's default server's."""
    return [Route(f"/user/{segment(user)}/{segment(server)}/", None) for user, server in names]


def _count(changes: Mapping[str, Scope], published: bool, seconds: float) -> None:
    """Once for everybody whose routes were published together."""
    outcome = "success" if published else "failure"
    for name, routes in changes.items():
        if name.startswith(AT_HOST):
            continue  # counted with the path that leads there
        (metrics.ROUTES_ADDED if routes else metrics.ROUTES_DELETED).labels(outcome).observe(seconds)


class Publisher:
    """Tells the data plane what changed, many users at a time."""

    def __init__(
        self, db: Database, plane: DataPlane, stream_life: timedelta, apps: AppHosts | None = None
    ) -> None:
        self._db = db
        self._apps = apps
        #: Scopes of apps' own hosts that the edges have, by the scope of the person whose apps they are.
        self._hosts: dict[str, dict[str, Scope]] = {}
        self._stream_life = int(stream_life.total_seconds())
        self._plane = plane
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._service_scopes: set[str] = set()

    async def start(self) -> None:
        """Publish the whole table."""
        rows, routes = await self._routes(None)
        services = await service_routes(self._db)
        self._service_scopes = set(by_scope(services))
        self._keep_hosts((), routes)
        with metrics.timed(metrics.ROUTES_CHECKED):
            await self._plane.start(by_scope([*routes, *services]))
        self.changed({row[1] for row in rows})

    def changed(self, users: Iterable[str]) -> None:
        """The routes of these people may have changed."""
        self._dirty.update(users)
        if self._dirty:
            self._wake.set()

    async def services_changed(self) -> None:
        """The routes of services may have changed; those of services that are gone are withdrawn."""
        scopes = by_scope(await service_routes(self._db))
        gone: dict[str, Scope] = dict.fromkeys(self._service_scopes - scopes.keys(), ())
        self._service_scopes = set(scopes)
        await self._plane.publish({**gone, **scopes})

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            users, self._dirty = list(self._dirty), set()
            if not await self._publish(users):
                # No edge is there to hear it: keep the change, and look again.
                await asyncio.sleep(0.1)
                self.changed(users)

    async def _routes(self, users: Sequence[str] | None) -> tuple[list[Any], list[Route]]:
        async with self._db.read() as tx:
            rows = await store.list_ready(tx, users)
            guarded = [row[0] for row in rows if row[6]["guarded"]]
            denied = await list_denied(tx, guarded, clock.now()) if guarded else {}
            # One that asks by itself is JupyterHub's kind, and may have a page of that name: `lab`.
            above = {row[1] for row in rows if row[6]["guarded"] and not row[2]}
            asleep = await store.list_asleep(tx, above) if above else []
        return rows, [*routes_of(rows, denied, self._stream_life, self._apps), *routes_of_asleep(asleep)]

    def _keep_hosts(self, users: Iterable[str], routes: Iterable[Route]) -> None:
        for user in users:
            self._hosts.pop(user_scope(user), None)
        for route in routes:
            if route.host:
                self._hosts.setdefault(scope_of(route.prefix), {})[host_scope(route.host)] = ()

    async def _publish(self, users: Sequence[str]) -> bool:
        rows, routes = await self._routes(users)
        changes: dict[str, Scope] = {user_scope(name): () for name in users}
        for name in users:
            changes |= self._hosts.get(user_scope(name), {})
        changes |= by_scope(routes)
        begun = time.perf_counter()
        published = await self._plane.publish(changes)
        if not published and not self._plane.edges:
            return False
        self._keep_hosts(users, routes)
        _count(changes, published, time.perf_counter() - begun)
        if not published:
            log.warning("routes.unacknowledged", users=len(users))
        async with self._db.write() as tx:
            changed = await store.update_routed(tx, users, [(row[0], row[3]) for row in rows])
            tx.changed(*(server_topic(server_id) for server_id in changed))
        return True
