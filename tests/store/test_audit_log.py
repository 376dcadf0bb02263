"""The audit log: only ever added to, found by any of its columns, and let go of when it is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from apphub.audit import HUB, Audit, By, insert_entry
from apphub.audit.actions import BATCH
from apphub.audit.model import ACTIONS, Search, actions_of
from apphub.audit.store import insert_entries
from apphub.db import Database
from apphub.db import tables as t
from apphub.errors import Conflict
from apphub.kit import clock
from fakes.people import BY, Town

ADA = By("user:ada", address="192.0.2.1", request_id="r7")
CULLER = By("server:ada/lab", behalf="user:ada", request_id="r8")


async def _fill(db: Database) -> None:
    async with db.write() as tx:
        insert_entry(tx, ADA, "group.create", "group:g", after={"members": ["ada"]})
        insert_entry(tx, HUB, "server.stop", "server:ada/lab")
        insert_entry(tx, CULLER, "server.stop", "server:ada/", before={"a": 1})


async def test_it_is_found_by_any_part_of_it(db: Database) -> None:
    await _fill(db)
    audit = Audit(db)

    async def found(**what: object) -> list[str]:
        return [one.target for one in await audit.find(Search(**what), limit=10)]  # type: ignore[arg-type]

    assert await found() == ["server:ada/", "server:ada/lab", "group:g"]
    assert await found(actor="user:ada") == ["server:ada/", "group:g"]  # by herself, and by her server
    assert await found(actor="server:ada/lab") == ["server:ada/"]
    assert await found(target="group:g") == ["group:g"]
    assert await found(action="server") == ["server:ada/", "server:ada/lab"]
    assert await found(action="server.sto") == []
    assert await found(request_id="r7") == ["group:g"]
    assert await found(since=clock.now() + timedelta(hours=1)) == []
    assert await found(until=datetime(2020, 1, 1, tzinfo=UTC)) == []
    first = (await audit.find(Search(actor="user:ada"), limit=1))[0]
    rest = await audit.find(Search(actor="user:ada"), before=first.id, limit=10)
    assert [one.target for one in rest] == ["group:g"]
    assert (rest[0].actor, rest[0].address, rest[0].after) == ("user:ada", "192.0.2.1", {"members": ["ada"]})


async def test_nobody_can_change_what_was_written(db: Database) -> None:
    await _fill(db)
    with pytest.raises(Exception, match="are never changed"):
        async with db.write() as tx:
            await tx.execute(sa.update(t.audit).values(actor="user:nobody"))
    assert {one.actor for one in await Audit(db).find(Search(), limit=9)} >= {"user:ada"}


async def test_an_entry_goes_with_the_change_that_was_undone(db: Database) -> None:
    async def change() -> None:
        async with db.write() as tx:
            insert_entry(tx, BY, "group.create", "group:never")
            raise Conflict("and then it fails")

    with pytest.raises(Conflict):
        await change()
    assert await Audit(db).find(Search(target="group:never"), limit=1) == []


async def test_old_entries_go_and_the_others_stay(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    then = clock.now() - timedelta(days=400)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: then)
        async with db.write() as tx:
            await insert_entries(tx, BY, "user.create", {f"user:{n}": None for n in range(BATCH + 7)})
    await _fill(db)
    await Audit(db).forget_old()  # kept for ever
    assert len([entry async for some in Audit(db).all(Search()) for entry in some]) == BATCH + 10
    await Audit(db, timedelta(days=365)).forget_old()
    assert [one.actor for one in await Audit(db).find(Search(), limit=20)] == [
        "server:ada/lab",
        "hub",
        "user:ada",
    ]


async def test_who_opened_a_server_is_told_since_it_was_made(town: Town) -> None:
    async with town.db.write() as tx:
        insert_entry(tx, ADA, "server.open", "server:bob/lab")
    audit = Audit(town.db)
    assert [one.actor for one in await audit.visits("bob/lab", since=clock.now() - timedelta(days=1))] == [
        "user:ada"
    ]
    assert await audit.visits("bob/lab", since=clock.now() + timedelta(days=1)) == []


async def test_what_was_done_to_a_server_is_told_without_the_visits(town: Town) -> None:
    async with town.db.write() as tx:
        for action in ("server.stop", "server.open", "share.grant"):
            insert_entry(tx, ADA, action, "server:bob/lab")
        insert_entry(tx, ADA, "server.stop", "server:bob/other")
    audit, day = Audit(town.db), timedelta(days=1)
    assert [one.action for one in await audit.deeds("bob/lab", since=clock.now() - day)] == ["server.stop"]
    assert await audit.deeds("bob/lab", since=clock.now() + day) == []


def test_an_action_stands_for_those_below_it() -> None:
    assert actions_of("share.code") == ["share.code", "share.code.revoke"]
    assert actions_of("group.members") == ["group.members.add", "group.members.remove"]
    assert actions_of("") == []
    assert all(words.endswith(".") for words in ACTIONS.values())
