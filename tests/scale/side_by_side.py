"""The hub beside JupyterHub 6.1.1: both in turn on this machine, a table of ratios, and what is promised.

    make bench [ARGS="--cases api_read,bulk --db pg --seconds 5 --rounds 3"]

`bench/suite.py` runs the cases, each on fresh hubs, one hub at a time; `bench/README.md` says what they do. "CPU" is
that of the hub's own processes per request, without the proxy and the servers of users: what other work on the machine
changes least. Admin requests carry a token that the hub made itself. Figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
BENCH = HERE / "bench"
PEER, OURS = "jupyterhub-6.1.1", "apphub"
DRIVERS = {PEER: BENCH / "run_jupyterhub.sh", OURS: HERE / "run_hub.sh"}
CASES = "api_read,api_read10k,api_write,bulk,spawn_c,spawn_defaults,under_load,proxy,footprint"
#: What moves bytes for the hub, by the name of its process.
DATA_PLANE = ("node", "envoy", "configurable-http-proxy")

Result = dict[str, Any]


class Figure(NamedTuple):
    """One line of the table: where its value is in the result of a case, and what is promised."""

    case: str
    what: str
    unit: str
    value: Callable[[Result], float]
    #: At most this part of the peer's value, or (where more is better) at least so many times it.
    promised: float | None = None
    more_is_better: bool = False
    #: The part promised on PostgreSQL, where that is another.
    on_pg: float | None = None


def hub_cpu(result: Result) -> float:
    """Milliseconds of a core per request, in the processes of the hub itself."""
    parts = result["cpu"]["by_process"].items()
    used = sum(seconds for name, seconds in parts if not name.startswith(DATA_PLANE))
    return float(used * 1000 / result["answered"])


def spawn_cpu(result: Result) -> float:
    """Milliseconds of a core for the start and the stop of one of 100 servers, the hub's own processes."""

    def taken(part: Result) -> float:
        parts = part["cpu"]["by_process"].items()
        return float(sum(seconds for name, seconds in parts if not name.startswith(DATA_PLANE)))

    rounds = result["rounds"]["n100"]["rounds"]
    return statistics.median((taken(one["start"]) + taken(one["stop"])) * 1000 / 100 for one in rounds)


def _read(name: str, what: str, promised: float, case: str = "api_read") -> Figure:
    return Figure(case, f"GET {what}", "ms CPU", lambda r: hub_cpu(r["endpoints"][name]["8"]), 1 / promised)


def _write(name: str, what: str) -> Figure:
    return Figure("api_write", what, "ms CPU", lambda r: hub_cpu(r["ops"][name]["8"]), 1 / 15)


def _proxied(shot: str, key: str, what: str, unit: str, promised: float) -> Figure:
    """Through the proxy, which for this counts as the hub's, to an app that signs visitors in by itself."""
    more = promised > 1
    return Figure("proxy", what, unit, lambda r: float(r["routes"]["1"][shot][key]), promised, more)


FIGURES = (
    _read("user_self", "/user", 10),
    Figure(
        "api_read",
        "GET /user, 32 connections",
        "requests/s",
        lambda r: float(r["endpoints"]["user_self"]["32"]["rps_median"]),
        8,
        more_is_better=True,
    ),
    _read("user_by_name", "/users/{name}", 20)._replace(on_pg=1 / 12),
    _read("groups", "/groups, 10,000 users", 8, "api_read10k"),
    _read("users_page50", "/users?limit=50, 10,000 users", 30, "api_read10k"),
    _write("group_create", "create groups"),
    _write("group_members", "add and remove members"),
    _write("tokens", "make and revoke tokens"),
    _write("activity", "note activity"),
    _write("group_delete", "delete groups"),
    Figure(
        "bulk",
        "POST /users, batches of 500",
        "users/s",
        lambda r: float(r["users_per_s"]),
        50,
        more_is_better=True,
    ),
    Figure("bulk", "GET /user meanwhile, longest", "ms", lambda r: float(r["user"]["max_ms"])),
    Figure(
        "spawn_c",
        "100 servers at once",
        "s",
        lambda r: float(r["rounds"]["n100"]["median_start_wall_s"]),
        1 / 5,
    ),
    Figure("spawn_c", "the same, start and stop of each", "ms CPU", spawn_cpu, 1 / 8),
    Figure(
        "spawn_defaults",
        "200 servers, limits as shipped",
        "s",
        lambda r: float(r["rounds"]["n200"]["median_start_wall_s"]),
        1 / 15,
    ),
    Figure(
        "under_load",
        "GET /user while 100 start, p99",
        "ms",
        lambda r: float(r["median_p99_ms"]),
        1 / 50,
    ),
    _proxied(
        "small_c32", "cpu_us_per_req", "GET of 200 bytes by the proxy, 32 connections", "µs CPU", 1 / 3.5
    ),
    _proxied("big_c8", "mb_per_s", "GET of 1 MiB by the proxy, 8 connections", "MB/s", 2),
    _proxied("ws_c32", "msgs_per_s", "websockets by the proxy, 32 connections", "messages/s", 1.2),
    Figure("footprint", "start, empty", "s", lambda r: float(r["startup_empty_s"]["median"]), 1 / 2),
    Figure(
        "footprint", "start, 10,000 users", "s", lambda r: float(r["startup_10000_users_s"]["median"]), 1 / 2
    ),
    Figure(
        "footprint",
        "start again, 200 servers run",
        "s",
        lambda r: float(r["restart_200_servers"]["median_api_up_s"]),
        1 / 2,
    ),
    Figure("footprint", "idle memory, with the edge", "MB", lambda r: float(r["idle_memory"]["rss_mb"])),
)


def line(figure: Figure, peer: float, ours: float) -> str:
    """The row of one figure."""
    times = ours / peer
    ratio = f"{times:.1f} x" if figure.more_is_better or times >= 1 else f"1/{1 / times:.1f}"
    promise = kept = ""
    if figure.promised is not None and figure.more_is_better:
        promise, kept = f"{figure.promised:g} x", "yes" if times >= figure.promised else "**no**"
    elif figure.promised is not None:
        promise, kept = f"1/{1 / figure.promised:g}", "yes" if times <= figure.promised else "**no**"
    cells = (f"{figure.what}, {figure.unit}", f"{peer:,.3g}", f"{ours:,.3g}", ratio, promise, kept)
    return f"| {' | '.join(cells)} |"


def _results(folder: Path, label: str, db: str, case: str) -> list[Result]:
    """The results of all rounds of a case."""
    name = f"{label}-{db}-{case}"
    found = [*folder.glob(f"{name}.json"), *folder.glob(f"{name}-r*.json")]
    documents = [json.loads(path.read_text()) for path in found]
    return [document["result"] for document in documents]


def _median(figure: Figure, results: list[Result]) -> float | None:
    try:
        return statistics.median(map(figure.value, results))
    except (KeyError, statistics.StatisticsError):
        return None  # the case, or a part of it, was left out


def table(folder: Path, db: str) -> str:
    """What the results in a folder come to, as Markdown."""
    rows = ["| what | JupyterHub | apphub | ratio | promised | kept |", "|---|---|---|---|---|---|"]
    for figure in FIGURES:
        peer, ours = (_median(figure, _results(folder, label, db, figure.case)) for label in (PEER, OURS))
        if peer and ours:
            promised = figure.on_pg if db == "pg" and figure.on_pg else figure.promised
            rows.append(line(figure._replace(promised=promised), peer, ours))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default=CASES, help="of bench/suite.py")
    parser.add_argument("--db", choices=("sqlite", "pg"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5, help="for each measurement")
    parser.add_argument("--results", type=Path, default=BENCH / "results", help="where they are kept")
    parser.add_argument("rest", nargs="*", help="after --: more arguments for bench/bench.py")
    asked = parser.parse_args()
    for old in asked.results.glob(f"*-{asked.db}-*.json"):
        old.unlink()
    hubs = [part for label, driver in DRIVERS.items() for part in ("--hub", f"{label}={driver}")]
    how = ["--cases", asked.cases, "--db", asked.db, "--rounds", str(asked.rounds)]
    each = ["--duration", str(asked.seconds), "--mint-token", "admin", "--quiet-wait", "0", "--routes", "1"]
    suite = [str(BENCH / "suite.py"), *hubs, *how, "--results", str(asked.results), "--", *each, *asked.rest]
    done = subprocess.run([sys.executable, *suite], check=False)
    print(f"\n{table(asked.results, asked.db)}")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
