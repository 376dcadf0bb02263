"""What replicas do together, piece by piece: routes that all confirm, jobs, newest settings, a database away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from apphub.db import Database, DatabaseAway, open_database
from apphub.db import tables as t
from apphub.declared import declare
from apphub.hub import _forever
from apphub.kit import clock
from apphub.reconcile import routes
from apphub.reconcile.routes import Publisher
from apphub.replicas import Replicas, store
from apphub.servers.model import Ask, Phase, ServerKey
from apphub.settings import Settings
from databases import admin
from fakes.people import BY, KEYS, Town
from fakes.planes import MemoryPlane

LAB = ServerKey("ada", "lab")


class Replica:
    """The routes of one replica, with an edge of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.plane = MemoryPlane()
        self.replicas = Replicas(db, "here")
        self.publisher = Publisher(db, self.plane, timedelta(0), replicas=self.replicas)

    def publishing(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.publisher.run())


@asynccontextmanager
async def two(url: str, folder: Path) -> AsyncGenerator[tuple[Replica, Replica]]:
    """Two replicas that hear each other and know of each other's edges."""
    made = [Replica(await open_database(url, folder)) for _ in range(2)]
    tasks = [asyncio.create_task(one.db.hear()) for one in made]
    for one in made:
        one.replicas.has_edges(1)
        await one.replicas.look()
        await one.publisher.start()
    try:
        yield made[0], made[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for one in made:
            await one.db.close()


async def becomes_ready(db: Database) -> int:
    """A server that answers, as the reconciler would have recorded it; its id."""
    town = await Town.of(db)
    await town.add("ada")
    server = await town.servers.start(BY, LAB, Ask())
    async with db.write() as tx:
        values = {"phase": Phase.READY, "phase_attempt": 1, "ip": "127.0.0.1", "port": 20000, "place": "here"}
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(**values))
        tx.changed("routes:ada")
    return server.id


async def routed(db: Database) -> int | None:
    async with db.read() as tx:
        found: int | None = (await tx.execute(sa.select(t.servers.c.routed_attempt))).scalar()
        return found


async def test_a_route_counts_once_the_edges_of_all_replicas_have_it_and_not_before(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE", 60.0)
    async with two(postgres_url, tmp_path) as (one, other):
        first = one.publishing()
        await becomes_ready(one.db)
        async with asyncio.timeout(10):
            while "user/ada" not in one.plane.table:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert await routed(one.db) is None  # the other one has not said so
        second = other.publishing()
        async with asyncio.timeout(10):
            while await routed(one.db) != 1:
                await asyncio.sleep(0.01)
        assert other.plane.table.keys() == one.plane.table.keys()
        async with one.db.write() as tx:
            await tx.execute(sa.update(t.servers).values(phase=Phase.STOPPING))
            tx.changed("routes:ada")
        async with asyncio.timeout(10):
            while await routed(one.db) is not None:
                await asyncio.sleep(0.01)
        assert "user/ada" not in {*one.plane.table, *other.plane.table}
        for task in (first, second):
            task.cancel()
        await asyncio.wait([first, second])


async def test_a_replica_that_says_nothing_is_waited_for_a_little_and_then_told_of(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE", 0.5)
    async with two(postgres_url, tmp_path) as (one, _):
        task = one.publishing()
        with capture_logs() as logs:
            await becomes_ready(one.db)
            async with asyncio.timeout(10):
                while await routed(one.db) != 1 or not logs:
                    await asyncio.sleep(0.01)
        assert "routes.unconfirmed" in [entry["event"] for entry in logs]
        task.cancel()
        await asyncio.wait([task])


async def test_a_replica_whose_process_has_ended_is_forgotten_at_once_and_what_it_held_is_free(
    postgres_url: str, tmp_path: Path
) -> None:
    async with two(postgres_url, tmp_path) as (one, _):
        server = await becomes_ready(one.db)
        gone = store.Replica("0123456789abcdef", "here", "another-boot:1:1", 1, clock.now())
        far = gone._replace(id="fedcba9876543210", place="elsewhere")
        async with one.db.write() as tx:
            await store.upsert_replica(tx, gone)
            await store.upsert_replica(tx, far)
            held = {"lease": f"{gone.id}-7", "lease_until": clock.now() + timedelta(seconds=30)}
            await tx.execute(sa.update(t.servers).where(t.servers.c.id == server).values(**held))
        await one.replicas.look()
        async with one.db.read() as tx:
            left = {replica.id for replica in await store.list_replicas(tx)}
            assert gone.id not in left
            assert {one.replicas.id, far.id} <= left  # who is elsewhere may live
            assert (await tx.execute(sa.select(t.servers.c.lease))).scalar() is None


async def test_a_job_is_done_by_one_of_all_replicas_once_in_its_time(
    postgres_url: str, tmp_path: Path
) -> None:
    async with two(postgres_url, tmp_path) as (one, other):
        day = timedelta(days=1)
        turns = await asyncio.gather(*(each.replicas.turn("sweep", day) for each in (one, other) * 5))
        assert sum(turns) == 1
        assert await one.replicas.turn("another", timedelta(0))
        assert await other.replicas.turn("another", timedelta(0))


async def test_the_newest_settings_say_what_is_declared_and_older_ones_leave_it_alone(
    postgres_url: str, tmp_path: Path
) -> None:
    async with two(postgres_url, tmp_path) as (one, other):
        old, new = (
            Settings.model_validate({"groups": {"old": {}}}),
            Settings.model_validate({"groups": {"new": {}}}),
        )
        before, after = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
        await declare(one.db, old, ["admin"], KEYS, None, before)
        await declare(other.db, new, ["admin"], KEYS, None, after)
        with capture_logs() as logs:
            await declare(one.db, old, ["admin"], KEYS, None, before)
        assert [entry["what"] for entry in logs if entry["event"] == "settings.older"] == ["settings"]
        async with one.db.read() as tx:
            groups = dict((await tx.execute(sa.select(t.groups.c.name, t.groups.c.source))).all())
        assert groups == {"old": "api", "new": "settings"}


async def test_a_database_that_is_away_for_a_moment_is_said_in_words_and_ends_no_loop(
    postgres: str, postgres_url: str, tmp_path: Path
) -> None:
    async with two(postgres_url, tmp_path) as (one, other):
        rounds = 0

        async def loop() -> None:
            nonlocal rounds
            while True:
                async with one.db.write() as tx:
                    await tx.execute(sa.select(1))
                rounds += 1
                await asyncio.sleep(0.01)

        task = asyncio.create_task(_forever(loop, "test"))
        name = sa.make_url(postgres_url).database
        with one.db.changes.listen("anything") as news:
            await asyncio.sleep(0.2)
            news.clear()
            kill = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
            await admin(postgres, kill)
            for _ in range(20):  # the driver may see at once that a connection has ended, or when it uses it
                with suppress(DatabaseAway):
                    async with other.db.read() as tx:
                        await tx.execute(sa.select(1))
            async with other.db.read() as tx:
                await tx.execute(sa.select(1))
            await asyncio.wait_for(news.wait(), 10)  # whoever listens looks again
        before = rounds
        async with asyncio.timeout(10):
            while rounds <= before:
                assert not task.done()
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
