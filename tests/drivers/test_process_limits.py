"""Limits of servers: kept with all their children by control groups, or said not to be."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runtime_specs import HUB, delete_all, python, running, until_ended

from apphub.runtimes.process.driver import ProcessRuntime

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    async with running(tmp_path) as runtime:
        yield runtime
    await delete_all(tmp_path)


async def test_a_memory_limit_is_kept_or_said_not_to_be(runtime: ProcessRuntime) -> None:
    wanted = python("x = bytearray(300_000_000); print(len(x))", memory_bytes=100_000_000)
    created = await runtime.create(wanted)
    ended = await until_ended(runtime, wanted.ref)
    if created.detail:
        assert "not enforced" in created.detail
        assert ended.exit_code == 0
    else:
        assert ended.exit_code == -signal.SIGKILL
        assert "more memory than its limit" in ended.detail


async def test_a_processor_limit_is_kept_with_all_children_or_said_not_to_be(runtime: ProcessRuntime) -> None:
    burn = (
        "import os, time; os.fork(); end = time.monotonic() + 3\n"
        "while time.monotonic() < end: pass\n"
        "print('burnt', time.process_time(), flush=True)"
    )
    wanted = python(burn, cpus=0.1, memory_bytes=200_000_000)
    created = await runtime.create(wanted)
    await until_ended(runtime, wanted.ref)
    await asyncio.sleep(1)  # for the child
    lines = (await runtime.logs(wanted.ref, tail=1000)).splitlines()
    burnt = sum(float(line.split()[1]) for line in lines if line.startswith("burnt"))
    if "cpu" in runtime.keeps:
        assert "processor" not in created.detail
        assert burnt < 0.1 * 3 * 2.5  # a processor each, without it
        assert burnt > 0
    else:
        assert "processor limit is not enforced" in created.detail
    await runtime.delete(wanted.ref, grace=0)
    assert not [
        path for path in Path("/sys/fs/cgroup").glob(f"*/**/apphub-{HUB}-{wanted.ref}") if path.is_dir()
    ]
