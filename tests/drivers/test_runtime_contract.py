"""What every runtime promises, asked of each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runtime_specs import HUB, LOG_SIZE, delete_all, spec, until

from apphub.runtimes.base import Life, Ref, Runtime
from apphub.runtimes.null import NotesIn, NullRuntime
from apphub.runtimes.process.driver import ProcessRuntime

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["process", "null", "null in a folder"])
async def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    if request.param != "process":
        yield NullRuntime("here", NotesIn(tmp_path / "null") if "folder" in request.param else None)
        return
    process = ProcessRuntime(tmp_path, HUB, LOG_SIZE, "here")
    yield process
    await process.close()
    await delete_all(tmp_path)


async def test_a_created_object_runs_at_the_address_it_was_given(runtime: Runtime) -> None:
    wanted = spec()
    created = await runtime.create(wanted)
    assert created.life is Life.RUNNING
    assert created.address == wanted.address
    assert await runtime.observe(wanted.ref) == created


async def test_creating_what_exists_returns_it(runtime: Runtime) -> None:
    wanted = spec()
    first = await runtime.create(wanted)
    assert await runtime.create(wanted) == first
    assert list(await runtime.list()) == [wanted.ref]


async def test_two_creations_at_the_same_time_make_one_object(runtime: Runtime) -> None:
    wanted = spec()
    sights = await asyncio.gather(*(runtime.create(wanted) for _ in range(5)))
    assert {sight.life for sight in sights} == {Life.RUNNING}
    assert len(await runtime.list()) == 1


async def test_attempts_of_one_server_are_different_objects(runtime: Runtime) -> None:
    first = spec(ref=Ref(5001, 1))
    second = spec(ref=Ref(5001, 2))
    await runtime.create(first)
    await runtime.create(second)
    await runtime.delete(first.ref, grace=1)
    assert (await runtime.observe(first.ref)).life is Life.ABSENT
    assert (await runtime.observe(second.ref)).life is Life.RUNNING


async def test_an_unknown_name_is_absent(runtime: Runtime) -> None:
    assert (await runtime.observe(Ref(999_999, 1))).life is Life.ABSENT


async def test_deleting_leaves_nothing_and_may_be_repeated(runtime: Runtime) -> None:
    wanted = spec()
    await runtime.create(wanted)
    for _ in range(2):
        assert (await runtime.delete(wanted.ref, grace=5)).life is Life.ABSENT
        assert (await runtime.observe(wanted.ref)).life is Life.ABSENT
    assert await runtime.list() == {}


async def test_deleting_what_never_was_is_no_error(runtime: Runtime) -> None:
    assert (await runtime.delete(Ref(999_999, 1), grace=5)).life is Life.ABSENT


async def test_the_list_holds_every_object(runtime: Runtime) -> None:
    specs = [spec() for _ in range(3)]
    for wanted in specs:
        await runtime.create(wanted)
    listed = await runtime.list()
    assert set(listed) == {wanted.ref for wanted in specs}
    assert {sight.life for sight in listed.values()} == {Life.RUNNING}


async def test_the_end_of_an_object_is_told_once(runtime: Runtime) -> None:
    told: list[Ref] = []
    runtime.on_exit(told.append)
    wanted, other = spec(), spec()
    await runtime.create(wanted)
    await runtime.create(other)
    await runtime.delete(wanted.ref, grace=5)

    async def heard() -> bool:
        return bool(told)

    await until(heard)
    await runtime.delete(wanted.ref, grace=5)
    assert told == [wanted.ref]


async def test_a_deleted_name_may_be_created_again(runtime: Runtime) -> None:
    wanted = spec()
    await runtime.create(wanted)
    await runtime.delete(wanted.ref, grace=5)
    assert (await runtime.create(wanted)).life is Life.RUNNING


async def test_forgetting_a_server_needs_nothing_to_be_there(runtime: Runtime) -> None:
    await runtime.forget(999_999)
    assert await runtime.logs(Ref(999_999, 1), tail=100) == ""


async def test_the_place_is_the_one_it_was_given(runtime: Runtime) -> None:
    assert runtime.place == "here"


async def test_an_end_that_null_is_told_of_is_seen_and_told() -> None:
    runtime = NullRuntime()
    told: list[Ref] = []
    runtime.on_exit(told.append)
    wanted = spec()
    await runtime.create(wanted)
    runtime.end(wanted.ref, exit_code=3, detail="as told")
    sight = await runtime.observe(wanted.ref)
    assert (sight.life, sight.exit_code, sight.detail) == (Life.EXITED, 3, "as told")
    assert told == [wanted.ref]


async def test_notes_in_a_folder_are_those_of_every_hub(tmp_path: Path) -> None:
    one, other = (NullRuntime("here", NotesIn(tmp_path / "null")) for _ in range(2))
    wanted = spec()
    created = await one.create(wanted)
    assert await other.list() == {wanted.ref: created}
    one.end(wanted.ref, exit_code=3)
    assert (await other.observe(wanted.ref)).exit_code == 3
    await other.delete(wanted.ref, grace=1)
    assert await one.list() == {}
