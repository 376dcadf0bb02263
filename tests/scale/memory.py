"""Whether the hub grows: rounds of 200 servers that start and stop, and its memory after each.

    make bench-memory [ARGS="--rounds 24 --servers 200"]

Real servers (the C program of `bench/tiny`), named and removed after each round, on SQLite. Promised: after the last round
the hub's own process holds at most a tenth more than after the fourth; idle, all processes
of hub and edge hold at most 200 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "bench")]

import httpx  # noqa: E402
import hubctl  # noqa: E402

#: As promised: growth since this round, and MB of an idle hub with its edge.
SETTLED, GROWTH, IDLE = 4, 1.1, 200.0
CONNECTIONS = 32
PATIENCE = 120.0
PAGE = 100


def memory(hub: Any) -> tuple[float, float]:
    """MB of the hub's own process, and of all processes of hub and edge."""
    parts = hubctl.memory(hub.proc.pid, hub.exclude)
    own = max((size["rss_mb"] for name, size in parts["by_process"].items() if "serve" in name), default=0.0)
    return own, parts["rss_mb"]


class Crowd:
    """People, each with a server."""

    def __init__(self, hub: Any, size: int) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        headers = {"authorization": f"Bearer {hub.token}"}
        api = f"{hub.base_url}/hub/api/"
        self._client = httpx.AsyncClient(base_url=api, headers=headers, limits=limits, timeout=PATIENCE)
        self._names = [f"s{number:04}" for number in range(size)]

    async def come(self) -> None:
        """Make them."""
        (await self._client.post("users", json={"usernames": self._names})).raise_for_status()

    async def round(self) -> None:
        """All servers start, are ready, stop and are gone."""
        await asyncio.gather(*(self._ask("POST", name) for name in self._names))
        await self._until(lambda servers: len(servers) == 1 and all(one["ready"] for one in servers.values()))
        await asyncio.gather(*(self._ask("DELETE", name, {"remove": True}) for name in self._names))
        await self._until(lambda servers: not servers)

    async def _ask(self, method: str, name: str, body: Any = None) -> None:
        (await self._client.request(method, f"users/{name}/servers/lab", json=body)).raise_for_status()

    async def _until(self, so: Any) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            mine = [user async for user in self._users() if user["name"] in self._names]
            if len(mine) == len(self._names) and all(so(user["servers"]) for user in mine):
                return
            if time.monotonic() > end:
                raise SystemExit(f"not so after {PATIENCE:.0f} s: {mine[0]}")
            await asyncio.sleep(0.2)

    async def _users(self) -> AsyncGenerator[Any]:
        """All users, page by page."""
        offset = 0
        while page := (await self._client.get("users", params={"limit": PAGE, "offset": offset})).json():
            for user in page:
                yield user
            offset += PAGE


async def rounds(hub: Any, count: int, servers: int) -> list[float]:
    """MB of the hub's own process after each round."""
    crowd = Crowd(hub, servers)
    await crowd.come()
    sizes = []
    for number in range(1, count + 1):
        await crowd.round()
        sizes.append(memory(hub)[0])
        print(f"round {number}: {sizes[-1]:.1f} MB", flush=True)
    return sizes


def main() -> int:
    """Measure, print, and compare with what is promised; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--idle", type=float, default=60, help="seconds before an idle hub is measured")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apphub-memory-") as folder:
        hub = hubctl.Hub(str(HERE / "run_hub.sh"), str(Path(folder) / "hub"), tiny="c")
        try:
            hub.start()
            time.sleep(asked.idle)
            idle = memory(hub)[1]
            print(f"idle for {asked.idle:.0f} s: {idle:.1f} MB in all")
            sizes = asyncio.run(rounds(hub, asked.rounds, asked.servers))
        finally:
            hub.destroy()
    settled = sizes[min(SETTLED, len(sizes)) - 1]
    promises = {
        f"idle hub and edge: {idle:.1f} MB (at most {IDLE:.0f})": idle <= IDLE,
        f"after round {len(sizes)}: {sizes[-1] / settled:.3f} times round {SETTLED} (at most {GROWTH})": sizes[
            -1
        ]
        <= GROWTH * settled,
    }
    for words, kept in promises.items():
        print(f"{'kept' if kept else 'NOT KEPT'}: {words}")
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
