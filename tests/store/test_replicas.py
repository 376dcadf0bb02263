"""Replicas on one PostgreSQL hear of each other's changes, and refuse at once what another has revoked."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from apphub.access.actions import Access
from apphub.audit import By
from apphub.db import Database, open_database
from apphub.db import tables as t
from apphub.db.changes import DUE, RIGHTS, routes_topic, server_topic
from apphub.errors import HubError
from apphub.kit.addresses import Address
from fakes.people import Town
from networks import passed_on


@asynccontextmanager
async def replica(url: str, folder: Path) -> AsyncGenerator[Database]:
    """A replica that listens."""
    db = await open_database(url, folder)
    with db.changes.listen(RIGHTS) as news:
        listening = asyncio.create_task(db.hear())
        await asyncio.wait_for(news.wait(), 10)  # told once, when it begins to listen
    try:
        yield db
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await db.close()


async def _undone(db: Database, topic: str) -> None:
    async with db.write() as tx:
        tx.changed(topic)
        raise RuntimeError("undone")


@pytest.mark.parametrize("topic", [DUE, server_topic(7), RIGHTS, routes_topic("o'hara")])
async def test_a_change_wakes_other_replicas_once_it_is_committed(
    postgres_url: str, tmp_path: Path, topic: str
) -> None:
    async with replica(postgres_url, tmp_path) as one, replica(postgres_url, tmp_path) as other:
        with other.changes.listen(topic) as news:
            with pytest.raises(RuntimeError, match="undone"):
                await _undone(one, topic)
            await asyncio.sleep(0.3)
            assert not news.is_set()
            async with one.write() as tx:
                tx.changed(topic)
            await asyncio.wait_for(news.wait(), 5)


async def test_a_replica_that_dies_once_it_has_committed_has_told_what_others_must_not_miss(
    postgres_url: str, tmp_path: Path
) -> None:
    async with replica(postgres_url, tmp_path) as one, replica(postgres_url, tmp_path) as other:
        one._hint = lambda _: None  # type: ignore[attr-defined] # it dies before it says more
        with other.changes.listen(DUE) as hint, other.changes.listen(RIGHTS) as rights:
            async with one.write() as tx:
                tx.changed(DUE, RIGHTS)
            await asyncio.wait_for(rights.wait(), 5)
            await asyncio.sleep(0.3)
            assert not hint.is_set()


async def test_with_sslmode_all_connections_are_secured_or_none_is_made(
    postgres_url: str, tmp_path: Path
) -> None:
    # The server of the tests speaks no TLS, and on its unix socket none is asked for: both ways of connecting
    # know the word.
    strict = sa.make_url(postgres_url).update_query_dict({"sslmode": "require"})
    async with replica(strict.render_as_string(hide_password=False), tmp_path):
        pass
    host = str(strict.query["host"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", probe.getsockname()[1])
    with passed_on(address, f"{host}/.s.PGSQL.5432"):
        there = strict.set(host=address.ip, port=address.port, query={"sslmode": "require"})
        with pytest.raises(HubError):
            await open_database(there.render_as_string(hide_password=False), tmp_path)
        plain = there.set(query={"sslmode": "disable"})
        async with replica(plain.render_as_string(hide_password=False), tmp_path):
            pass


async def test_a_token_revoked_by_one_replica_is_refused_by_another_within_a_second(
    postgres_url: str, tmp_path: Path
) -> None:
    async with replica(postgres_url, tmp_path) as one, replica(postgres_url, tmp_path) as other:
        town = await Town.of(one)
        await town.add("ada")
        here, there = Access(one), Access(other)
        ada = await here.owner("ada")
        assert ada is not None
        made = await here.create_token(ada, By("test"), "ada", scopes=None, note="", life=None)
        assert await there.by_token(made.secret) is not None
        await here.revoke_token(By("test"), "ada", made.token.wire_id)
        began = time.monotonic()
        while await there.by_token(made.secret) is not None:
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.01)


async def test_a_group_that_is_lost_on_one_replica_gives_nothing_on_another_within_a_second(
    postgres_url: str, tmp_path: Path
) -> None:
    roles = [{"name": "given-by-group", "scopes": ["read:hub"], "groups": ["readers"]}]
    async with replica(postgres_url, tmp_path) as one, replica(postgres_url, tmp_path) as other:
        town = await Town.of(one, roles=roles)
        await town.add("ada")
        ada, root, there = await town.actor("ada"), await town.actor(), Access(other)
        made = await town.access.create_token(ada, By("test"), "ada", scopes=None, note="", life=None)

        async def holds() -> bool:
            found = await there.by_token(made.secret)
            return found is not None and found.holds("read:hub")

        assert not await holds()
        for expected, change in (
            (True, town.people.add_members(root, By("test"), "readers", ["ada"])),
            (False, town.people.remove_members(By("test"), "readers", ["ada"])),
        ):
            await change
            async with asyncio.timeout(1):
                while await holds() is not expected:
                    await asyncio.sleep(0.01)


async def test_a_topic_is_told_as_it_is_and_never_read_as_a_statement(
    postgres_url: str, tmp_path: Path
) -> None:
    topic = routes_topic("o'hara\\'); delete from users; select ('")
    async with replica(postgres_url, tmp_path) as one, replica(postgres_url, tmp_path) as other:
        await (await Town.of(one)).add("ada")
        with other.changes.listen(topic) as news:
            async with one.write() as tx:
                tx.changed(topic)
            await asyncio.wait_for(news.wait(), 10)
        async with other.read() as tx:
            assert (await tx.execute(sa.select(sa.func.count()).select_from(t.users))).scalar_one() > 0


async def test_a_transaction_that_went_on_after_a_failed_statement_is_not_said_to_be_committed(
    postgres_url: str, tmp_path: Path
) -> None:
    broken = sa.select(sa.literal(1) / sa.bindparam("zero", type_=sa.Integer))

    async def go_on(db: Database) -> None:
        async with db.write() as tx:
            with suppress(Exception):
                await tx.execute(broken, {"zero": 0})

    async with replica(postgres_url, tmp_path) as one:
        with pytest.raises(RuntimeError, match="went on"):
            await go_on(one)
