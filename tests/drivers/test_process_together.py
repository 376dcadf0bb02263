"""Launches that come together: each goes its own way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runtime_specs import delete_all, pids, running, spec

from apphub.errors import Unavailable
from apphub.kit.addresses import Address
from apphub.runtimes.base import AddressTaken, LaunchFailed, Life
from apphub.runtimes.process.driver import ProcessRuntime

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    async with running(tmp_path) as runtime:
        await runtime.list()
        yield runtime
    await delete_all(tmp_path)


async def test_one_that_cannot_be_takes_nothing_from_the_others(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = spec(address=Address("127.0.0.1", other.getsockname()[1]))
        missing, lost, twice = spec("no-such-program"), spec(cwd=str(tmp_path / "nowhere")), spec()
        fine = [spec() for _ in range(30)]
        # More than are done at once; the same object twice among them.
        outcomes = await asyncio.gather(
            *(runtime.create(one) for one in (taken, *fine[:15], missing, twice, *fine[15:], lost, twice)),
            return_exceptions=True,
        )
    failed = {number: type(one) for number, one in enumerate(outcomes) if isinstance(one, Exception)}
    assert failed == {0: AddressTaken, 16: LaunchFailed, 33: LaunchFailed}
    assert {len(pids(one.ref)) for one in (*fine, twice)} == {1}
    assert set(await runtime.list()) == {one.ref for one in (*fine, twice)}


async def test_a_server_holds_nothing_of_those_launched_with_it(runtime: ProcessRuntime) -> None:
    specs = [spec() for _ in range(20)]
    await asyncio.gather(*(runtime.create(one) for one in specs))
    for one in specs:
        (pid,) = pids(one.ref)
        files = {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert set(files) == {"0", "1", "2"}
        assert files["1"].endswith(f"/{one.ref.server_id}/{one.ref.attempt}.log")


async def test_one_whose_record_cannot_be_written_leaves_no_process(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    unwritten, fine = spec(), spec()
    (tmp_path / "run" / f"{unwritten.ref}.json").symlink_to(tmp_path / "nowhere" / "record")
    outcomes = await asyncio.gather(runtime.create(unwritten), runtime.create(fine), return_exceptions=True)
    assert isinstance(outcomes[0], Unavailable)
    assert "No such file" in str(outcomes[0])
    assert len(pids(fine.ref)) == 1
    assert (await runtime.observe(unwritten.ref)).life is Life.ABSENT
    assert pids(unwritten.ref) == set()


async def test_when_the_helper_dies_each_is_made_once(runtime: ProcessRuntime) -> None:
    for turn in range(4):
        specs = [spec() for _ in range(25)]
        launches = [asyncio.create_task(runtime.create(one)) for one in specs]
        await asyncio.sleep(0.004 * turn)  # in the middle of forks, records or both
        assert runtime.helper_pid is not None
        os.kill(runtime.helper_pid, signal.SIGKILL)
        await asyncio.gather(*launches)
        assert {len(pids(one.ref)) for one in specs} == {1}
        await asyncio.gather(*(runtime.delete(one.ref, grace=5) for one in specs))
