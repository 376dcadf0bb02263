"""Programs under load: which cores they have, what they cost, and how fast they answer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import statistics
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil

from hubs import free_port

TOP = Path(__file__).resolve().parents[2]


def cores(apart: bool) -> tuple[set[int], set[int]]:
    """For the proxy that is measured, and for everything else: one core of its own, or all for all."""
    if not apart:
        return os.sched_getaffinity(0), os.sched_getaffinity(0)
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


@contextlib.contextmanager
def on(some: set[int]) -> Iterator[None]:
    """What is started here stays on some cores."""
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, some)
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)


def pin(pid: int, some: set[int]) -> None:
    """Keep all threads of a process on some cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), some)


def busy(pid: int) -> float:
    """Seconds of a core that the threads of a process have had."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def taken(pid: int) -> float:
    """Seconds of a core that a process and all that came of it have had (this one: without what it started)."""
    process = psutil.Process(pid)
    tree = [process, *(process.children(recursive=True) if pid != os.getpid() else ())]
    return sum(sum(one.cpu_times()[:2]) for one in tree)


@contextlib.asynccontextmanager
async def program(*argv: str, at: set[int], port: int) -> AsyncIterator[int]:
    """A program that listens on a port, kept on some cores."""
    with on(at):
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def wrk(url: str, seconds: int, at: set[int], *headers: str) -> tuple[int, float]:
    """What 32 connections had answered, and how many seconds that took; every answer must have been 2xx."""
    named = (part for header in headers for part in ("-H", header))
    argv = ["taskset", "-c", ",".join(map(str, at)), "wrk", "-t1", "-c32", f"-d{seconds}s", *named, url]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    found = re.search(r"(\d+) requests in ([0-9.]+)s", output)
    assert found, output
    assert not re.search(r"Non-2xx|Socket errors", output), output
    return int(found[1]), float(found[2])


#: Puts load on an address for so many seconds, from some cores, with some headers: answers, and the seconds it took.
Load = Callable[..., Awaitable[tuple[int, float]]]


@dataclasses.dataclass
class Way:
    """One way to an app: where, the process that is measured, and what was seen."""

    url: str
    pid: int
    headers: tuple[str, ...] = ()
    #: Requests per second, by round.
    speeds: list[float] = dataclasses.field(default_factory=list)
    #: Microseconds of a core per request, by round: what a busy machine changes least.
    costs: list[float] = dataclasses.field(default_factory=list)

    async def run(self, seconds: int, at: set[int], load: Load = wrk) -> None:
        """One round of so many seconds, the load coming from some cores."""
        before = busy(self.pid)
        answers, took = await load(self.url, seconds, at, *self.headers)
        self.speeds.append(answers / took)
        self.costs.append((busy(self.pid) - before) / answers * 1e6)

    def forget(self) -> None:
        """Begin anew."""
        self.speeds.clear()
        self.costs.clear()

    @property
    def speed(self) -> float:
        return statistics.median(self.speeds)

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)

    def speed_over(self, other: Way) -> float:
        """How many times as fast as another way: the median of the rounds, each in itself."""
        return statistics.median(a / b for a, b in zip(self.speeds, other.speeds, strict=True))

    def cost_over(self, other: Way) -> float:
        """How many times as dear as another way."""
        return statistics.median(a / b for a, b in zip(self.costs, other.costs, strict=True))


def chp() -> str | None:
    """The program of configurable-http-proxy: where BENCH_CHP says, in ./envs/chp, or on PATH."""
    own = TOP / "envs" / "chp" / "node_modules" / ".bin" / "configurable-http-proxy"
    return os.environ.get("BENCH_CHP") or (
        str(own) if own.exists() else shutil.which("configurable-http-proxy")
    )


@contextlib.asynccontextmanager
async def chp_to(app: int, at: set[int]) -> AsyncIterator[tuple[int, int] | None]:
    """configurable-http-proxy before the app at a port, on some cores: its process and port; None without it."""
    if (found := chp()) is None:
        yield None
        return
    port, api = free_port(), free_port()
    argv = (found, "--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1", f"--api-port={api}")
    more = (f"--default-target=http://127.0.0.1:{app}", "--log-level=error")
    async with program(*argv, *more, at=at, port=port) as pid:
        yield pid, port


def tiny_app(folder: Path) -> Path:
    """The smallest app, compiled here: answers 200 bytes at once."""
    built = folder / "tiny"
    source = TOP / "tests" / "scale" / "bench" / "tiny" / "tinyserver.c"
    subprocess.run(["cc", "-O2", "-o", str(built), str(source)], check=True)
    return built


def missing() -> list[str]:
    """What must be installed first, in words."""
    needs = {
        "wrk": "apt-get install wrk",
        "cc": "apt-get install gcc libc6-dev",
        "taskset": "apt-get install util-linux",
    }
    return [
        f"{name} is not installed; on Debian: {how}" for name, how in needs.items() if not shutil.which(name)
    ]
