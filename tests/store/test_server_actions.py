"""What people ask of servers becomes what the row says is wanted; gates and limits hold for everybody at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apphub.db import Database
from apphub.db import tables as t
from apphub.db.changes import DUE
from apphub.errors import Conflict, HubError, Invalid, NotFound
from apphub.kit import clock
from apphub.kit.addresses import Address
from apphub.people.model import NoSuchUser
from apphub.profiles.model import BadOption, NoSuchProfile, NotYours
from apphub.reconcile import store as reconcile_store
from apphub.servers import store
from apphub.servers.model import (
    AlreadyRunning,
    Ask,
    HubFull,
    NoSuchServer,
    Phase,
    Server,
    ServerExists,
    ServerKey,
    TooManyServers,
    Wanted,
)
from fakes.people import BY, Town

LAB = ServerKey("ada", "lab")
DEFAULT = ServerKey("ada", "")


@pytest.fixture
async def place(db: Database) -> Town:
    town = await Town.of(db)
    await town.add("ada", "bob", groups={"analysts": []})
    return town


async def _set(town: Town, server: Server, **values: Any) -> None:
    """What the reconciler and the publisher would have written."""
    async with town.db.write() as tx:
        await tx.execute(sa.update(t.servers).where(t.servers.c.id == server.id).values(**values))


async def _up(town: Town, key: ServerKey, ask: Ask = Ask()) -> Server:  # noqa: B008 - frozen
    server = await town.servers.start(BY, key, ask)
    up = {"phase": Phase.READY, "place": "here", "phase_attempt": server.attempt}
    await _set(town, server, **up, routed_attempt=server.attempt)
    found = await town.servers.find(key)
    assert found is not None
    assert found.ready
    return found


async def _down(town: Town, server: Server, **values: Any) -> None:
    down = {"phase": Phase.STOPPED, "place": None, "phase_attempt": server.attempt}
    await _set(town, server, **down, routed_attempt=None, **values)


async def test_a_start_writes_what_is_wanted_and_wakes_the_reconciler(place: Town) -> None:
    with place.db.changes.listen(DUE) as news:
        server = await place.servers.start(BY, LAB, Ask(options={"size": 3}, display_name="My lab"))
        assert news.is_set()
    assert (server.wanted, server.attempt, server.phase) == (Wanted.RUNNING, 1, Phase.STOPPED)
    assert (server.pending, server.display_name, server.options) == ("spawn", "My lab", {"size": 3})
    assert server.plan is not None
    assert (server.plan.profile, server.plan.options) == ("open", {"size": 3})
    assert [event.message for event in await place.servers.events(server)] == ["Server requested"]
    assert (await place.people.person("ada")).last_activity == server.requested


async def test_asking_again_while_it_starts_changes_nothing(place: Town) -> None:
    first = await place.servers.start(BY, LAB, Ask())
    again = await place.servers.start(BY, LAB, Ask(options={"profile": "closed"}))
    assert (again.id, again.attempt, again.options) == (first.id, 1, None)


async def test_what_runs_or_is_going_down_is_not_started_again(place: Town) -> None:
    server = await _up(place, LAB)
    with pytest.raises(AlreadyRunning, match="already running"):
        await place.servers.start(BY, LAB, Ask())
    await place.servers.stop(BY, LAB)
    with pytest.raises(AlreadyRunning, match="pending stop"):
        await place.servers.start(BY, LAB, Ask())
    await _down(place, server)
    again = await place.servers.start(BY, LAB, Ask())
    assert again.attempt == 2


async def test_a_start_without_options_repeats_the_last_ones_and_the_gate_is_asked_again(place: Town) -> None:
    root = await place.actor()
    await place.people.add_members(root, BY, "analysts", ["ada"])
    server = await _up(place, LAB, Ask(options={"profile": "closed"}))
    await place.servers.stop(BY, LAB)
    await _down(place, server)
    again = await place.servers.start(BY, LAB, Ask())
    assert again.plan is not None
    assert again.plan.profile == "closed"
    await place.servers.stop(BY, LAB)
    await _down(place, again)
    await place.people.remove_members(BY, "analysts", ["ada"])
    with pytest.raises(NotYours):
        await place.servers.start(BY, LAB, Ask())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"profile": "closed"}, NotYours),
        ({"profile": "nothing"}, NoSuchProfile),
        ({"profile": 7}, Invalid),
        ({"profile": ["open"]}, Invalid),
        ({"profile": "choosy", "colour": "red"}, BadOption),
        ({"profile": "choosy", "size": "huge"}, BadOption),
    ],
)
async def test_a_start_that_the_gate_refuses_leaves_nothing_behind(
    place: Town, options: dict[str, Any], error: type[HubError]
) -> None:
    with pytest.raises(error):
        await place.servers.start(BY, LAB, Ask(options=options))
    assert await place.servers.find(LAB) is None


async def test_only_the_owners_groups_count_at_the_gate_and_as_they_are_now(place: Town) -> None:
    root = await place.actor()
    closed = Ask(options={"profile": "closed"})
    await place.people.add_members(root, BY, "analysts", ["root", "bob"])
    with pytest.raises(NotYours):
        await place.servers.start(BY, LAB, closed)  # whoever asks, it is ada's server
    await place.people.add_members(root, BY, "analysts", ["ada"])
    assert (await place.servers.start(BY, LAB, closed)).pending == "spawn"


async def test_stopping_says_so_and_is_done_when_there_is_nothing_to_stop(place: Town) -> None:
    assert await place.servers.stop(BY, DEFAULT) is None
    with pytest.raises(NoSuchServer):
        await place.servers.stop(BY, LAB)
    with pytest.raises(NoSuchUser):
        await place.servers.stop(BY, ServerKey("nobody", "lab"))
    server = await _up(place, LAB)
    assert await place.servers.stop(BY, LAB) is not None
    row = await place.servers.find(LAB)
    assert row is not None
    assert (row.wanted, row.pending, row.attempt) == (Wanted.STOPPED, "stop", server.attempt)
    await _down(place, server)
    assert await place.servers.stop(BY, LAB) is None


async def test_a_queued_start_that_is_stopped_is_over_at_once_and_one_let_in_is_seen_to(place: Town) -> None:
    await place.servers.start(BY, LAB, Ask())
    await place.servers.stop(BY, LAB)
    queued = await place.servers.find(LAB)
    assert queued is not None
    assert not queued.active
    server = await place.servers.start(BY, LAB, Ask())
    async with place.db.write() as tx:
        await reconcile_store.admit(tx, {server.id: Address("127.0.0.1", 20001)}, "here", clock.now())
    await place.servers.stop(BY, LAB)
    let_in = await place.servers.find(LAB)
    assert let_in is not None
    assert let_in.pending == "stop"
    with pytest.raises(AlreadyRunning):
        await place.servers.start(BY, LAB, Ask())


async def test_removing_forgets_a_stopped_server_at_once_and_a_running_one_after_its_end(place: Town) -> None:
    await place.servers.create(BY, LAB, Ask())
    assert await place.servers.stop(BY, LAB, remove=True) is None
    assert await place.servers.find(LAB) is None
    await _up(place, LAB)
    assert await place.servers.stop(BY, LAB, remove=True) is not None
    row = await place.servers.find(LAB)
    assert row is not None
    assert row.wanted is Wanted.REMOVED
    await place.servers.start(BY, DEFAULT, Ask())
    with pytest.raises(Invalid):
        await place.servers.stop(BY, DEFAULT, remove=True)


async def test_a_server_is_renamed_only_while_it_rests_and_never_onto_another(place: Town) -> None:
    lab = await place.servers.create(BY, LAB, Ask(options={"a": 1}))
    await place.servers.create(BY, ServerKey("ada", "other"), Ask())
    with pytest.raises(ServerExists):
        await place.servers.modify(BY, LAB, Ask(), new_name="other")
    for bad in ("", "Lab", "-x", "a--b", "../up", "x" * 31, "a/b"):
        with pytest.raises(Invalid):
            await place.servers.modify(BY, LAB, Ask(), new_name=bad)
    moved = await place.servers.modify(BY, LAB, Ask(display_name="New"), new_name="new")
    assert (moved.id, moved.key.name, moved.display_name, moved.options) == (lab.id, "new", "New", {"a": 1})
    assert await place.servers.find(LAB) is None
    with pytest.raises(NoSuchServer):
        await place.servers.modify(BY, LAB, Ask(), new_name="x")
    await _up(place, moved.key)
    with pytest.raises(Invalid, match="stop it"):
        await place.servers.modify(BY, moved.key, Ask(options={}), new_name=None)


async def test_names_that_cannot_be_are_refused_before_anything_is_written(place: Town) -> None:
    for bad in ("Lab", "a--b", "a-", "1a", "..", "a b", "ä", "x" * 31, "a\n"):
        for act in (place.servers.start, place.servers.create):
            with pytest.raises(Invalid):
                await act(BY, ServerKey("ada", bad), Ask())
    with pytest.raises(Invalid):
        await place.servers.start(BY, LAB, Ask(display_name="two\nlines"))
    async with place.db.read() as tx:
        assert await store.list_servers_of(tx, (await place.people.person("ada")).id) == []


async def _at_once(*tries: Coroutine[Any, Any, Any]) -> tuple[list[Any], list[BaseException]]:
    results = await asyncio.gather(*tries, return_exceptions=True)
    done = [result for result in results if not isinstance(result, BaseException)]
    return done, [result for result in results if isinstance(result, BaseException)]


async def test_twenty_starts_at_once_never_pass_the_limit_of_named_servers(db: Database) -> None:
    town = await Town.of(db, limits={"named_servers_per_user": 3})
    await town.add("ada")
    starts = [town.servers.start(BY, ServerKey("ada", f"s{number}"), Ask()) for number in range(20)]
    done, refused = await _at_once(*starts)
    assert len(done) == 3
    assert {type(error) for error in refused} == {TooManyServers}
    assert await town.servers.start(BY, ServerKey("ada", ""), Ask())  # the default one does not count


async def test_twenty_starts_at_once_never_pass_the_limit_of_the_whole_hub(db: Database) -> None:
    town = await Town.of(db, limits={"active_servers": 5})
    names = [f"u{number}" for number in range(20)]
    await town.add(*names)
    done, refused = await _at_once(*(town.servers.start(BY, ServerKey(name, ""), Ask()) for name in names))
    assert len(done) == 5
    assert {type(error) for error in refused} == {HubFull}
    await town.servers.stop(BY, done[0].key)
    name = next(name for name in names if name not in {server.key.user for server in done})
    assert await town.servers.start(BY, ServerKey(name, ""), Ask())


async def test_twenty_starts_of_one_server_at_once_are_one_attempt(place: Town) -> None:
    done, refused = await _at_once(*(place.servers.start(BY, LAB, Ask()) for _ in range(20)))
    assert refused == []
    assert {(server.id, server.attempt) for server in done} == {(done[0].id, 1)}
    made, refused = await _at_once(
        *(place.servers.create(BY, ServerKey("ada", "new"), Ask()) for _ in range(20))
    )
    assert len(made) == 1
    assert all(isinstance(error, Conflict) for error in refused)


async def test_deleting_a_person_stops_their_servers_first_and_hides_them_at_once(place: Town) -> None:
    server = await _up(place, LAB)
    await place.servers.delete_user(BY, "ada", patience=timedelta(0))
    with pytest.raises(NoSuchUser):
        await place.people.person("ada")
    row = await place.servers.find_by_id(server.id)
    assert row is not None
    assert row.wanted is Wanted.REMOVED
    new, there = await place.people.create(await place.actor(), BY, ["ada"], admin=False)
    assert (new, there) == ([], ["ada"])  # the name is free once the last server is gone
    async with place.db.write() as tx:
        await reconcile_store.delete_user_when_empty(tx, server.id)
        await store.delete_server(tx, server.id)
    assert (await place.people.create(await place.actor(), BY, ["ada"], admin=False))[0] == ["ada"]


async def test_a_person_is_renamed_only_while_no_server_runs(place: Town) -> None:
    root = await place.actor()
    server = await _up(place, LAB)
    with pytest.raises(Conflict):
        await place.servers.change_user(root, BY, "ada", admin=None, new_name="eva")
    await place.servers.stop(BY, LAB)
    await _down(place, server)
    assert await place.servers.change_user(root, BY, "ada", admin=None, new_name="Eva") == "eva"
    assert (await place.servers.find(ServerKey("eva", "lab"))) is not None


async def test_activity_only_ever_moves_forward(place: Town) -> None:
    await _up(place, LAB)
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    await place.servers.note_activity("ada", user=None, servers={"lab": noon})
    await place.servers.note_activity(
        "ada", user=noon - timedelta(days=1), servers={"lab": noon - timedelta(1)}
    )
    server = await place.servers.find(LAB)
    assert server is not None
    assert server.last_activity == noon
    assert (await place.people.person("ada")).last_activity == noon
    with pytest.raises(Invalid):
        await place.servers.note_activity("ada", user=None, servers={"none": noon})
    with pytest.raises(NotFound):
        await place.servers.note_activity("nobody", user=noon, servers={})


async def test_only_the_progress_of_the_last_few_attempts_is_kept(place: Town) -> None:
    for _ in range(8):
        server = await _up(place, LAB)
        await place.servers.stop(BY, LAB)
        await _down(place, server)
    async with place.db.read() as tx:
        kept = set((await tx.execute(sa.select(t.server_events.c.attempt))).scalars())
    assert kept == {4, 5, 6, 7, 8}


async def test_whoever_waits_hears_of_the_outcome_and_gives_up_in_time(place: Town) -> None:
    server = await place.servers.start(BY, LAB, Ask())
    waiting = asyncio.create_task(place.servers.started(server, timedelta(seconds=20)))
    await asyncio.sleep(0.05)
    await _set(place, server, phase=Phase.FAILED, phase_attempt=1, reason="it broke")
    settled = await waiting  # without news it looks again within a second
    assert settled is not None
    assert (settled.failed, settled.reason) == (True, "it broke")
    assert await place.servers.started(server, timedelta(0)) is not None


async def test_the_states_of_lists_are_those_of_the_model(place: Town) -> None:
    from apphub.access.actor import EVERYTHING
    from apphub.servers.views import Page

    async def names(state: Any) -> list[str]:
        accounts = await place.views.list_accounts(EVERYTHING, Page(state=state))
        return [account.person.name for account in accounts]

    await _up(place, LAB)
    await place.servers.start(BY, ServerKey("bob", ""), Ask())
    assert (await names("active"), await names("ready"), await names("inactive")) == (
        ["ada", "bob"],
        ["ada"],
        ["root"],
    )
    account = await place.views.account("ada")
    assert account.server("lab") == await place.servers.find(LAB)
    assert await place.views.count_all() == (3, 1)
