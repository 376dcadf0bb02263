"""How long the hub itself takes over very many servers, of which nothing is started.

    make bench-servers [ARGS="--servers 10000 --hubs 2 --edges 2"]

Hubs on one PostgreSQL (durable, as installed) and edges before them; the null runtime. All servers are asked for
at once, by the API, through the edges in turn. Measured: until all are READY, until every edge has
all routes, and until all are stopped again. One program answers at the port of every server, for the hub asks
each whether it is there, and at the end a visitor asks many of them through each edge.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]

import httpx  # noqa: E402
import uvloop  # noqa: E402
from loads import taken  # noqa: E402

from clusters import Cluster  # noqa: E402
from databases import connect  # noqa: E402

#: As promised, seconds: all READY; the table live after the last.
READY_WITHIN, ROUTES_WITHIN = 60.0, 1.0
FIRST_PORT = 10_000
CONNECTIONS = 32
BATCH = 500
#: Servers that are visited through each edge.
VISITS = 500
#: For all of it.
PATIENCE = 600.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nit\n"


class _App(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)
        self._transport.close()


@asynccontextmanager
async def answering(ports: range) -> AsyncIterator[None]:
    """One program at all of these ports of loopback."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_App, "127.0.0.1", port) for port in ports]
    yield
    for server in servers:
        server.close()


def config(servers: int) -> dict[str, Any]:
    """Hubs that start nothing, and hold nobody up."""
    return {
        "runtime": "none",
        "processes": {"ports": [FIRST_PORT, FIRST_PORT + servers - 1]},
        "limits": {"concurrent_starts": 0, "active_servers": 0},
        "timeouts": {"start": "300s", "slow_spawn": "10ms", "slow_stop": "10ms"},
        "log_level": "warning",
        "profiles": [{"slug": "app", "groups": "everyone", "auth": "hub", "command": ["nothing"]}],
    }


class Load:
    """People who ask through the edges in turn."""

    def __init__(self, cluster: Cluster) -> None:
        self.codes: Counter[int] = Counter()
        headers = {"authorization": f"Bearer {cluster.token}"}
        limits = httpx.Limits(max_connections=CONNECTIONS)
        self._clients = [
            httpx.AsyncClient(base_url=edge.url, headers=headers, limits=limits, timeout=120, trust_env=False)
            for edge in cluster.edges
        ]

    async def ask(self, number: int, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request, through an edge that the number chooses."""
        answer = await self._clients[number % len(self._clients)].request(method, path, json=body)
        self.codes[answer.status_code] += 1
        return answer

    async def all(self, names: list[str], method: str, path: str, body: Any = None) -> None:
        """The same of each of them, so many at once."""
        turns = asyncio.Semaphore(CONNECTIONS)

        async def one(number: int, name: str) -> None:
            async with turns:
                await self.ask(number, method, path.format(name), body)

        await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


async def until(database: Any, query: str, count: int) -> float:
    """The moment when the count of rows is this (asked every 50 ms, which the figure includes)."""
    end = time.monotonic() + PATIENCE
    while (found := await database.fetchval(query)) != count:
        if time.monotonic() > end:
            raise SystemExit(f"{query}: {found}, not {count}, after {PATIENCE:.0f} s")
        await asyncio.sleep(0.05)
    return time.monotonic()


@contextmanager
def cpu(cluster: Cluster, servers: int) -> Any:
    """What the parts take meanwhile, per server."""

    parts = {
        "hubs": [hub.pid for hub in cluster.hubs],
        "edges": [edge.pid for edge in cluster.edges],
        "database": [cluster.postmaster],
        "people": [os.getpid()],
    }
    before = {name: sum(map(taken, pids)) for name, pids in parts.items()}
    yield
    for name, pids in parts.items():
        used = sum(map(taken, pids)) - before[name]
        print(f"    CPU of the {name}: {used:.1f} s, {used / servers * 1000:.2f} ms for each server")


async def measure(cluster: Cluster, servers: int) -> dict[str, bool]:
    """All of it; what was promised, and whether it was kept."""
    load, database = Load(cluster), await connect(cluster.database)
    names = [f"person-{number:05}" for number in range(servers)]
    began = time.monotonic()
    for start in range(0, servers, BATCH):
        await load.ask(start // BATCH, "POST", "hub/api/users", {"usernames": names[start : start + BATCH]})
    print(f"{servers} people made in {time.monotonic() - began:.1f} s")
    load.codes.clear()
    began = time.monotonic()
    with cpu(cluster, servers):
        asked = asyncio.create_task(load.all(names, "POST", "hub/api/users/{}/server", {"profile": "app"}))
        ready = await until(database, "select count(*) from servers where phase = 'ready'", servers)
        live = await until(database, "select count(*) from servers where routed_attempt = attempt", servers)
        await asked
    took = ready - began
    print(
        f"all READY after {took:.1f} s, all routes live {live - ready:.2f} s later; answers {dict(load.codes)}"
    )
    load.codes.clear()
    some = names[:: max(1, servers // VISITS)]
    for number in range(len(cluster.edges)):
        for name in some:
            await load.ask(number, "GET", f"user/{name}/")
    visits = dict(load.codes)
    load.codes.clear()
    began = time.monotonic()
    with cpu(cluster, servers):
        await load.all(names, "DELETE", "hub/api/users/{}/server")
        stopped = await until(database, "select count(*) from servers where phase = 'stopped'", servers)
    print(f"all stopped after {stopped - began:.1f} s; answers {dict(load.codes)}")
    await load.close()
    await database.close()
    return {
        f"all READY: {took:.1f} s (at most {READY_WITHIN:.0f})": took <= READY_WITHIN,
        f"routes live after the last: {live - ready:.2f} s (at most {ROUTES_WITHIN})": live - ready
        <= ROUTES_WITHIN,
        f"visits through each edge: {visits}": visits == {200: len(some) * len(cluster.edges)},
    }


async def run(cluster: Cluster, servers: int) -> dict[str, bool]:
    """With a program that answers for the servers."""
    async with answering(range(FIRST_PORT, FIRST_PORT + servers)):
        return await measure(cluster, servers)


def main() -> int:
    """Measure, print, and compare with what is promised; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--hubs", type=int, default=2)
    parser.add_argument("--edges", type=int, default=2)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(f"{args.hubs} hubs, {args.edges} edges, {os.cpu_count()} cores")
    with Cluster(hubs=args.hubs, edges=args.edges, config=config(args.servers)) as cluster:
        promises = uvloop.run(run(cluster, args.servers))
    print()
    for words, kept in promises.items():
        print(f"{'kept' if kept else 'NOT KEPT'}: {words}")
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
