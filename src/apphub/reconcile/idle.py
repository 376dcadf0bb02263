"""Servers that nobody uses are stopped, where their profile says after how long.

A server that is ready is looked at when its time would be over, and not before: use in between
only moves that moment. What is known of its use comes late (the edge tells once a minute, apps
that sign their visitors in by themselves every five), so that much is given on top: nobody is
stopped too early.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from apphub.audit import HUB, insert_entry
from apphub.db import Database
from apphub.db.changes import DUE, server_topic
from apphub.kit import clock
from apphub.proxy.base import USE_TOLD_EVERY
from apphub.servers import store
from apphub.servers.model import Phase, Server, Wanted

log = structlog.get_logger(__name__)

#: How late apps are that report use by themselves: JupyterHub's servers do so every five minutes or so.
REPORTED_EVERY = timedelta(minutes=6)


def unused_at(server: Server) -> datetime | None:
    """When a server counts as unused, unless it is used before; None for those that may idle."""
    plan = server.plan
    if plan is None or plan.idle_timeout is None or server.last_activity is None:
        return None
    if server.phase is not Phase.READY or server.wanted is not Wanted.RUNNING:
        return None
    late = USE_TOLD_EVERY if plan.guarded else REPORTED_EVERY
    return server.last_activity + timedelta(seconds=plan.idle_timeout) + late


def words(timeout: timedelta) -> str:
    """Why it was stopped."""
    seconds = int(timeout.total_seconds())
    size, unit = next(
        (size, unit) for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")) if seconds % size == 0
    )
    number = seconds // size
    return f"Stopped after {number} {unit}{'' if number == 1 else 's'} without use."


async def stop_unused(db: Database, server_id: int) -> bool:
    """Want a server stopped if it is unused even now; whether it was."""
    now = clock.now()
    async with db.write() as tx:
        server = await store.find_server_by_id(tx, server_id)
        end = unused_at(server) if server is not None else None
        if server is None or server.plan is None or end is None or end > now:
            return False
        why = words(timedelta(seconds=server.plan.idle_timeout or 0))
        await store.update_server(tx, server_id, reason=why)
        await store.update_wanted(tx, server_id, Wanted.STOPPED, now)
        await store.insert_event(tx, server_id, server.attempt, progress=100, message=why, now=now)
        insert_entry(tx, HUB, "server.stop", server.label, after={"why": why})
        tx.changed(DUE, server_topic(server_id))
    log.info("server.unused", server=str(server.key))
    return True
