"""What several hubs answer that one does not: reads of the API, through one edge.

    make bench-replicas [ARGS="--hubs 2 --rounds 5 --seconds 3"]

One PostgreSQL (durable, as installed), one edge, `wrk` with 32 connections; in every round one hub first, then
all of them. Told are the medians: requests per second, what each part took of a core for a request,
and how many cores were busy in all. A machine whose cores are all busy with one hub bears no more with two.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]

from loads import missing, taken, wrk  # noqa: E402

from clusters import Cluster  # noqa: E402
from hubs import until  # noqa: E402

USERS = 1000
READS = {
    "GET /user": "user",
    "GET /users/{name}": "users/person-500",
    "GET /users?limit=50": "users?limit=50",
}
#: Seconds until the edge uses a hub that has come.
SETTLED = 3.0


class Seen(NamedTuple):
    """One read in one round."""

    speed: float
    #: Microseconds of a core per request, by part.
    costs: Mapping[str, float]

    @property
    def cores(self) -> float:
        """How many were busy."""
        return self.speed * sum(self.costs.values()) / 1e6


def parts(cluster: Cluster) -> dict[str, list[int]]:
    """The processes that have a share in an answer."""
    return {
        "hubs": [hub.pid for hub in cluster.hubs if hub.alive],
        "edge": [edge.pid for edge in cluster.edges],
        "database": [cluster.postmaster],
    }


async def read(cluster: Cluster, path: str, seconds: int) -> Seen:
    """Ask for the same, again and again."""
    pids = parts(cluster)
    before = {name: sum(map(taken, some)) for name, some in pids.items()}
    load = os.times()
    header = f"Authorization: Bearer {cluster.token}"
    url = f"{cluster.edges[0].origin}/hub/api/{path}"
    answers, took = await wrk(url, seconds, os.sched_getaffinity(0), header)
    after = os.times()
    costs = {name: (sum(map(taken, some)) - before[name]) / answers * 1e6 for name, some in pids.items()}
    asked = after.children_user + after.children_system - load.children_user - load.children_system
    return Seen(answers / took, {**costs, "load": asked / answers * 1e6})


def use(cluster: Cluster, hubs: int) -> None:
    """Run so many hubs, and no more."""
    for hub in cluster.hubs[hubs:]:
        if hub.alive:
            hub.stop()
    for hub in cluster.hubs[:hubs]:
        if not hub.alive:
            hub.start()
            until(hub.answers, f"{hub.name} answers")
    time.sleep(SETTLED)


def median(seen: list[Seen]) -> Seen:
    """Figure by figure."""
    costs = {name: statistics.median(one.costs[name] for one in seen) for name in seen[0].costs}
    return Seen(statistics.median(one.speed for one in seen), costs)


def tell(name: str, one: list[Seen], all_hubs: list[Seen], hubs: int) -> None:
    """What came out for one read."""
    print(name)
    for words, seen in (("one hub", median(one)), (f"{hubs} hubs", median(all_hubs))):
        costs = ", ".join(f"{part} {cost:.0f}" for part, cost in seen.costs.items())
        print(
            f"    {words}: {seen.speed:,.0f} requests/s; us of a core: {costs}; {seen.cores:.2f} cores busy"
        )
    ratio = statistics.median(b.speed / a.speed for a, b in zip(one, all_hubs, strict=True))
    print(f"    {hubs} hubs over one: {ratio:.2f}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hubs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="for each read in each round")
    args = parser.parse_args()
    if lacks := missing():
        print("\n".join(lacks), file=sys.stderr)
        return 1
    seen: dict[tuple[str, int], list[Seen]] = defaultdict(list)
    with Cluster(hubs=args.hubs, edges=1, config={"log_level": "warning"}) as cluster:
        names = [f"person-{number}" for number in range(USERS)]
        cluster.edges[0].ask("POST", "users", json={"usernames": names}).raise_for_status()
        for _ in range(args.rounds):
            for hubs in (1, args.hubs):
                use(cluster, hubs)
                for name, path in READS.items():
                    seen[name, hubs].append(asyncio.run(read(cluster, path, args.seconds)))
    print(f"{os.cpu_count()} cores, {args.rounds} rounds")
    for name in READS:
        tell(name, seen[name, 1], seen[name, args.hubs], args.hubs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
