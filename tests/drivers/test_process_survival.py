"""The process runtime when something dies: hub, helper or server, each at its worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runtime_specs import HUB, LOG_SIZE, delete_all, pids, running, spec, until, until_ended

from apphub.errors import Unavailable
from apphub.runtimes.base import Life, Ref
from apphub.runtimes.process import procfs
from apphub.runtimes.process.driver import ProcessRuntime
from apphub.runtimes.process.living import Living
from apphub.runtimes.process.records import Record

pytestmark = pytest.mark.timeout(120)

#: A hub that starts servers 1 to COUNT and then waits to be killed.
HUB_PROGRAM = """
import asyncio, sys
from pathlib import Path
from runtime_specs import HUB, LOG_SIZE, spec
from apphub.errors import Unavailable
from apphub.runtimes.base import Ref
from apphub.runtimes.process.driver import ProcessRuntime
from apphub.runtimes.process.living import Living
from apphub.runtimes.process.records import Record

async def main():
    runtime = ProcessRuntime(Path(sys.argv[1]), HUB, LOG_SIZE, "here")
    for number in range(1, int(sys.argv[2]) + 1):
        await runtime.create(spec(ref=Ref(number, 1)))
    print(runtime.helper_pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def data_dir(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path
    await delete_all(tmp_path)


@pytest.fixture
async def runtime(data_dir: Path) -> AsyncIterator[ProcessRuntime]:
    async with running(data_dir) as runtime:
        yield runtime


def a_killed_hub(data_dir: Path, count: int) -> int:
    """Run a hub that starts servers, kill it with SIGKILL; the pid its helper had."""
    with subprocess.Popen(
        [sys.executable, "-c", HUB_PROGRAM, str(data_dir), str(count)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        text=True,
    ) as hub:
        assert hub.stdout is not None
        helper = int(hub.stdout.readline())
        hub.kill()
    return helper


async def gone(pid: int) -> bool:
    return procfs.read(pid) is None


async def test_servers_outlive_a_killed_hub_and_are_found_exactly_once(data_dir: Path) -> None:
    helper = await asyncio.to_thread(a_killed_hub, data_dir, 5)
    await until(lambda: gone(helper))
    refs = {Ref(number, 1) for number in range(1, 6)}
    before = {ref: pids(ref) for ref in refs}
    assert {len(found) for found in before.values()} == {1}
    async with running(data_dir) as runtime:
        listed = await runtime.list()
        assert set(listed) == refs
        assert {sight.life for sight in listed.values()} == {Life.RUNNING}
        for ref in refs:
            again = await runtime.create(spec(ref=ref))
            assert again.address == listed[ref].address
        assert {ref: pids(ref) for ref in refs} == before
        await asyncio.gather(*(runtime.delete(ref, grace=5) for ref in refs))
        assert {ref: pids(ref) for ref in refs} == {ref: set() for ref in refs}


async def test_the_end_of_an_adopted_server_is_told_without_a_status(data_dir: Path) -> None:
    await asyncio.to_thread(a_killed_hub, data_dir, 1)
    told: list[Ref] = []
    async with running(data_dir) as runtime:
        runtime.on_exit(told.append)
        await runtime.list()
        os.kill(pids(Ref(1, 1)).pop(), signal.SIGKILL)

        async def heard() -> bool:
            return bool(told)

        await until(heard)
        sight = await runtime.observe(Ref(1, 1))
        assert (sight.life, sight.exit_code) == (Life.EXITED, None)
        assert "earlier run" in sight.detail
        assert told == [Ref(1, 1)]


async def test_the_end_of_an_adopted_server_is_told_also_when_descriptors_have_run_out() -> None:
    told: list[Ref] = []
    living = Living()
    living.on_exit(told.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with subprocess.Popen(["sleep", "600"]) as server:
        process = procfs.read(server.pid)
        assert process is not None
        record = Record(HUB, "7-1", procfs.boot_id(), process.pid, process.start)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            living.found(record)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        running = living.get(Ref(7, 1))
        assert running is not None
        server.kill()
        assert running.pidfd is None

        async def heard() -> bool:
            return told == [Ref(7, 1)]

        await until(heard)


async def test_a_server_without_a_record_is_found_by_its_marker(data_dir: Path) -> None:
    wanted = spec()
    async with running(data_dir) as runtime:
        await runtime.create(wanted)
    (data_dir / "run" / f"{wanted.ref}.json").unlink()
    (found,) = pids(wanted.ref)
    async with running(data_dir) as runtime:
        listed = await runtime.list()
        assert {ref: sight.life for ref, sight in listed.items()} == {wanted.ref: Life.RUNNING}
        assert (await runtime.create(wanted)).life is Life.RUNNING
        assert pids(wanted.ref) == {found}
        assert (await runtime.delete(wanted.ref, grace=5)).life is Life.ABSENT
        assert pids(wanted.ref) == set()


async def test_an_exit_status_that_was_known_is_known_after_a_restart(data_dir: Path) -> None:
    wanted = spec("sh", "-c", "exit 9")
    async with running(data_dir) as runtime:
        await runtime.create(wanted)
        ended = await until_ended(runtime, wanted.ref)
    async with running(data_dir) as runtime:
        assert await runtime.observe(wanted.ref) == ended
        assert await runtime.list() == {wanted.ref: ended}
        await runtime.delete(wanted.ref, grace=5)
        assert await runtime.list() == {}


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another"}])
async def test_a_pid_that_went_to_somebody_else_is_not_taken_for_the_server(
    data_dir: Path, change: dict[str, object]
) -> None:
    wanted = spec()
    async with running(data_dir) as runtime:
        await runtime.create(wanted)
        await runtime.delete(wanted.ref, grace=5)
        await runtime.create(wanted)
        record = data_dir / "run" / f"{wanted.ref}.json"
        text = record.read_text()
        await runtime.delete(wanted.ref, grace=5)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as innocent:
        start = procfs.read(innocent.pid)
        assert start is not None
        told = json.loads(text) | {"pid": innocent.pid, "start": start.start} | change
        record.write_text(json.dumps(told))
        async with running(data_dir) as runtime:
            assert (await runtime.observe(wanted.ref)).life is Life.EXITED
            assert (await runtime.delete(wanted.ref, grace=1)).life is Life.ABSENT
        assert innocent.poll() is None
        innocent.kill()


async def test_servers_of_another_hub_are_left_alone(data_dir: Path) -> None:
    wanted = spec()
    async with running(data_dir, "otherhub") as other:
        await other.create(wanted)
        async with running(data_dir) as runtime:
            assert await runtime.list() == {}
            assert (await runtime.delete(wanted.ref, grace=1)).life is Life.ABSENT
        assert (await other.observe(wanted.ref)).life is Life.RUNNING
        assert len(pids(wanted.ref, "otherhub")) == 1
        await other.delete(wanted.ref, grace=5)


async def test_servers_outlive_a_killed_helper_and_stay_in_sight(runtime: ProcessRuntime) -> None:
    told: list[Ref] = []
    runtime.on_exit(told.append)
    survivor, victim = spec(), spec()
    await runtime.create(survivor)
    await runtime.create(victim)
    first = runtime.helper_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    async def another() -> bool:
        return runtime.helper_pid not in (None, first)

    await until(another)  # by itself: nobody has asked anything
    os.kill(pids(victim.ref).pop(), signal.SIGKILL)
    assert (await until_ended(runtime, victim.ref)).exit_code is None
    assert told == [victim.ref]
    assert (await runtime.observe(survivor.ref)).life is Life.RUNNING
    assert len(pids(survivor.ref)) == 1
    assert (await runtime.delete(survivor.ref, grace=5)).life is Life.ABSENT


async def test_launches_that_a_dying_helper_interrupts_are_made_once(runtime: ProcessRuntime) -> None:
    await runtime.list()
    specs = [spec() for _ in range(40)]
    launches = [asyncio.create_task(runtime.create(wanted)) for wanted in specs]
    await launches[5]
    helper = runtime.helper_pid
    assert helper is not None
    os.kill(helper, signal.SIGKILL)
    await asyncio.gather(*launches)
    assert {len(pids(wanted.ref)) for wanted in specs} == {1}
    await asyncio.gather(*(runtime.delete(wanted.ref, grace=5) for wanted in specs))


async def test_no_process_is_left_or_lost_while_helpers_are_killed_and_callers_give_up(
    runtime: ProcessRuntime,
) -> None:
    chance = random.Random(7)
    loop = asyncio.get_running_loop()
    end = loop.time() + 4

    async def delete(ref: Ref) -> None:
        while True:
            try:
                if (await runtime.delete(ref, grace=0.1)).life is Life.ABSENT:
                    return
            except Unavailable:
                await asyncio.sleep(0.05)

    async def lives() -> None:
        while loop.time() < end:
            wanted = spec("sh", "-c", "setsid sleep 600 & sleep 600 & wait")
            with contextlib.suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(chance.choice((0.002, 0.01, 5))):
                    await runtime.create(wanted)
            await delete(wanted.ref)
            assert pids(wanted.ref) == set()

    async def kills() -> None:
        while loop.time() < end:
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            if (helper := runtime.helper_pid) is not None:
                os.kill(helper, signal.SIGKILL)

    async with asyncio.TaskGroup() as group:
        group.create_task(kills())
        for _ in range(6):
            group.create_task(lives())
    assert await runtime.list() == {}


async def test_a_launch_whose_caller_gave_up_is_found_by_the_next(runtime: ProcessRuntime) -> None:
    await runtime.list()
    wanted = spec()
    for steps in range(1, 6):
        launch = asyncio.create_task(runtime.create(wanted))
        for _ in range(steps):
            await asyncio.sleep(0)
        launch.cancel()
        await asyncio.gather(launch, return_exceptions=True)
    assert (await runtime.create(wanted)).life is Life.RUNNING
    assert len(pids(wanted.ref)) == 1


async def test_deleting_at_once_a_launch_whose_caller_gave_up_leaves_nothing(runtime: ProcessRuntime) -> None:
    await runtime.list()
    for turn in range(40):
        wanted = spec()
        launch = asyncio.create_task(runtime.create(wanted))
        await asyncio.sleep(0.0002 * turn)
        launch.cancel()
        assert (await runtime.delete(wanted.ref, grace=1)).life is Life.ABSENT
        await asyncio.sleep(0.01)
        assert pids(wanted.ref) == set()


async def test_two_hub_processes_on_one_data_folder_see_the_same_servers(data_dir: Path) -> None:
    wanted = spec()
    async with running(data_dir) as one, running(data_dir) as other:
        told: list[Ref] = []
        other.on_exit(told.append)
        assert (await other.observe(wanted.ref)).life is Life.ABSENT
        await one.create(wanted)
        assert (await other.observe(wanted.ref)).life is Life.RUNNING
        assert (await other.delete(wanted.ref, grace=5)).life is Life.ABSENT

        async def absent() -> bool:
            return (await one.observe(wanted.ref)).life is Life.ABSENT

        await until(absent)
        assert told == [wanted.ref]


async def test_what_another_hub_has_erased_does_not_come_back_when_its_parent_wakes_up(
    data_dir: Path,
) -> None:
    wanted = spec()
    async with running(data_dir) as one, running(data_dir) as other:
        await one.create(wanted)
        assert one.helper_pid is not None
        os.kill(one.helper_pid, signal.SIGSTOP)
        try:
            assert (await other.delete(wanted.ref, grace=5)).life is Life.ABSENT
        finally:
            os.kill(one.helper_pid, signal.SIGCONT)
        assert dict(await one.list()) == {}  # its helper has answered, and seen the end before
        await asyncio.sleep(0.3)
        assert (await one.observe(wanted.ref)).life is Life.ABSENT


async def test_a_delete_that_is_asked_again_does_not_begin_its_time_anew(runtime: ProcessRuntime) -> None:
    wanted = spec("sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.1; done")
    await runtime.create(wanted)
    await until(lambda: runtime.logs(wanted.ref, tail=10))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await runtime.delete(wanted.ref, grace=2)
    async with asyncio.timeout(1.8):
        assert (await runtime.delete(wanted.ref, grace=2)).life is Life.ABSENT


async def test_the_driver_of_a_hub_that_was_never_told_to_close_leaves_servers_running(
    data_dir: Path,
) -> None:
    wanted = spec()
    forgotten = ProcessRuntime(data_dir, HUB, LOG_SIZE, "here")
    await forgotten.create(wanted)
    await forgotten.close()
    assert len(pids(wanted.ref)) == 1
