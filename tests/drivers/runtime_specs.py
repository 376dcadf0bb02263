"""What the tests of runtimes share: launch specs, waiting, and looking at real processes."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from apphub.kit.addresses import Address
from apphub.runtimes.base import LaunchSpec, Ref, Sight
from apphub.runtimes.process import procfs
from apphub.runtimes.process.driver import ProcessRuntime

#: Of this run alone, and of the hubs that it starts: files of tests run side by side.
HUB = os.environ.setdefault("APPHUB_TEST_HUB", f"testhub{os.getpid()}")
LOG_SIZE = 100_000
_server_ids = itertools.count(1)


def free_port() -> int:
    """A port nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spec(*command: str, ref: Ref | None = None, **more: Any) -> LaunchSpec:
    """A launch of this command (a long sleep) under a new name."""
    env = more.pop("env", {"PATH": os.defpath})
    return LaunchSpec(
        ref=ref or Ref(next(_server_ids), 1),
        command=command or ("sleep", "600"),
        env=env,
        address=more.pop("address", None) or Address("127.0.0.1", free_port()),
        **more,
    )


def python(code: str, **more: Any) -> LaunchSpec:
    """A launch of a few lines of Python."""
    return spec(sys.executable, "-I", "-S", "-c", code, **more)


async def until(condition: Callable[[], Awaitable[Any]], *, within: float = 20.0) -> Any:
    """The first true value of `condition`; fails when there is none in time."""
    async with asyncio.timeout(within):
        while not (value := await condition()):
            await asyncio.sleep(0.02)
        return value


async def until_ended(runtime: ProcessRuntime, ref: Ref) -> Sight:
    """Its sight once its main process has ended."""

    async def ended() -> Sight | None:
        sight = await runtime.observe(ref)
        return sight if sight.life == "exited" else None

    sight: Sight = await until(ended)
    return sight


def pids(ref: Ref, hub_id: str = HUB) -> set[int]:
    """The living processes that carry the marker of an object."""
    mark = procfs.marker(hub_id, *ref)
    return {process.pid for process in procfs.scan() if procfs.marker_of(process.pid) == mark}


@asynccontextmanager
async def running(data_dir: Path, hub_id: str = HUB) -> AsyncIterator[ProcessRuntime]:
    """A process runtime that is closed at the end."""
    runtime = ProcessRuntime(data_dir, hub_id, LOG_SIZE, "here")
    try:
        yield runtime
    finally:
        await runtime.close()


async def delete_all(data_dir: Path, hub_id: str = HUB) -> None:
    """End whatever a test has left."""
    async with running(data_dir, hub_id) as runtime:
        for ref in await runtime.list():
            await runtime.delete(ref, grace=0)
