"""What guarding costs at the edge, and how soon a change of routes counts.

    make bench-edge [ARGS="--rounds 9 --seconds 2 --routes 10000 --only visits,sockets,routes,hub"]

`visits`: requests per second and CPU per request to one app, through a real hub's edge, guarded and not, and
through configurable-http-proxy without any authentication; interleaved rounds, medians of the ratios in each round.
Once the proxies have one core, the app and the load the others; once all have the whole machine, as people run it,
where Envoy uses every core and configurable-http-proxy cannot.
`sockets`: messages per second and CPU per message over websockets, beside configurable-http-proxy, nginx without any
rules (where it is installed) and the app itself.
`routes`: with many routes present, how long a change takes until one and until two edges have acknowledged it;
whether open websockets live through a thousand changes and a restart of the hub, and what that sends.
`hub`: the same changes as a real hub counts them, while servers start and stop.

Needs `wrk`, a C compiler, and configurable-http-proxy (5.3.0 was measured), which `make bench-edge` installs into
./envs/chp where there is npm; BENCH_CHP names another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "drivers"), str(TESTS / "journeys"), str(TESTS / "scale" / "bench")]

import edge_sockets  # noqa: E402
import edge_visits  # noqa: E402
import uvloop  # noqa: E402
from envoy_rig import running, second_edge  # noqa: E402
from loads import Way, missing  # noqa: E402
from route_changes import (  # noqa: E402
    SOCKETS,
    Sockets,
    acknowledgements,
    change_often,
    many,
    restart_hub,
    sent,
    settled,
)

from apphub.kit.addresses import Address  # noqa: E402
from apphub.proxy.base import Route  # noqa: E402

#: As the promises have it.
LEAST_OF_OPEN, LEAST_OF_CHP, MEDIAN_MS, LONGEST_MS = 0.7, 2.0, 20.0, 100.0
TIMES, CHANGES = 100, 1000
#: Of a real hub, as services of its settings: each of them makes its start a little longer.
HUB_ROUTES = 2000

#: What was promised, in words with the figure, and whether it was kept.
Promises = dict[str, bool]


def visits(rounds: int, seconds: int) -> Promises:
    """Requests through the edge of a real hub: with a core of its own, and as people run it."""
    apart = _visits(rounds, seconds, apart=True)
    promises = _at_least(apart["guarded"], apart["open"], "open", LEAST_OF_OPEN)
    whole = _visits(rounds, seconds, apart=False)
    if "chp" in whole:
        name = "configurable-http-proxy without authentication, on the whole machine"
        promises |= _at_least(whole["guarded"], whole["chp"], name, LEAST_OF_CHP)
    else:
        print("configurable-http-proxy is not installed: not compared")
    return promises


def _visits(rounds: int, seconds: int, *, apart: bool) -> dict[str, Way]:
    ways = asyncio.run(edge_visits.measured(rounds, seconds, apart=apart))
    where = "one core for the proxy" if apart else "all cores for all"
    print(f"\n{where:26} requests/s   µs of a core each (least of {rounds} rounds)   of guarded, requests/s")
    guarded = ways["guarded"]
    for name, way in ways.items():
        ratio = guarded.speed_over(way)
        print(f"{name:26} {way.speed:10.0f}   {way.cost:5.0f} ({min(way.costs):.0f}) {ratio:35.2f}")
    print(f"CPU of a guarded request: {guarded.cost_over(ways['open']):.2f} of one that is open")
    return ways


def _at_least(guarded: Way, other: Way, name: str, least: float) -> Promises:
    ratio = guarded.speed_over(other)
    return {f"requests/s, guarded / {name}: {ratio:.2f} (at least {least})": ratio >= least}


def sockets(rounds: int, seconds: int) -> None:
    """Websocket messages; nothing is promised here, but what the machine lets any proxy reach is seen."""
    ways = uvloop.run(edge_sockets.measured(rounds, seconds))
    other = ways.get("chp", ways["edge, open"])
    print(
        f"\n{'all cores for all':26} messages/s   µs of a core each (least of {rounds} rounds)   of chp, messages/s"
    )
    for name, way in ways.items():
        print(
            f"{name:26} {way.speed:10.0f}   {way.cost:5.1f} ({min(way.costs):.1f}) {way.speed_over(other):35.2f}"
        )


async def routes(count: int) -> Promises:
    """Changes of routes on real edges, without a hub."""
    nowhere = Address("127.0.0.1", 1)
    promises: Promises = {}
    print(f"\n{'routes':>8} edges   change acknowledged, ms: median, longest of {TIMES}")
    for present in (0, count // 10, count):
        async with running(table=many(present, nowhere)) as rig:
            await settled(rig)
            took = await acknowledgements(rig, nowhere, TIMES)
            print(f"{present:8} {1:5}   {statistics.median(took):.1f}, {max(took):.1f}")
    async with running(table=many(count, nowhere)) as rig, second_edge(rig):
        await settled(rig, edges=2)
        took = await acknowledgements(rig, nowhere, TIMES)
        print(f"{count:8} {2:5}   {statistics.median(took):.1f}, {max(took):.1f}")
        promises |= _soon(took, f"two edges, {count} routes")
        app = await rig.app("app")
        await rig.route(("/user/ada/", app))
        sockets = await Sockets.open(rig, "/user/ada/ws")
        held = many(count, nowhere) | await change_often(rig, app.address, "user/ada", CHANGES)
        alive = await sockets.alive()
        promises[f"websockets alive after {CHANGES} changes: {alive} of {SOCKETS}"] = alive == SOCKETS
        found = {**held, "user/new": (Route("/user/new/", app.address),)}
        del found["user/u00000"]
        with sent() as names:
            again = await restart_hub(rig, found, edges=2)
        words = f"hub restarted, {len(found)} routes, 2 of them different: {len(names)} sent to two edges, {again:.2f} s"
        promises[words] = sorted(names) == sorted(["user/new", "user/u00000"] * 2)
        alive = await sockets.alive()
        promises[f"websockets alive after the restart: {alive} of {SOCKETS}"] = alive == SOCKETS
        await sockets.close()
    return promises


def hub(count: int) -> Promises:
    """Changes of routes as a real hub counts them."""
    return _soon(
        edge_visits.changes(count, TIMES // 2), f"apphub serve, {count} routes, servers starting and stopping"
    )


def _soon(took: list[float], where: str) -> Promises:
    median, longest = statistics.median(took), max(took)
    words = f"{where}: change acknowledged, median {median:.1f} ms, longest of {len(took)} {longest:.1f} ms"
    return {words: median <= MEDIAN_MS and longest <= LONGEST_MS}


def main() -> int:
    """Measure, print, and compare with what is promised; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--only", default="visits,sockets,routes,hub", help="some of the parts, with commas")
    args = parser.parse_args()
    if lacking := missing():
        print("\n".join(lacking))
        return 2
    promises: Promises = {}
    only = args.only.split(",")
    if "visits" in only:
        promises |= visits(args.rounds, args.seconds)
    if "sockets" in only:
        sockets(args.rounds, args.seconds)
    if "routes" in only:
        promises |= asyncio.run(routes(args.routes))
    if "hub" in only:
        promises |= hub(min(args.routes, HUB_ROUTES))
    print()
    for words, kept in promises.items():
        print("kept  " if kept else "BROKEN", words)
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
