"""What the hub counts about itself, under JupyterHub's names, so that dashboards made for it go on working.

Counts and durations of this process are kept where they happen. What is true of the whole hub
(servers, users) is asked of the database when somebody looks, so that every replica says the
same. Every label is there from the start, at 0: a rate of something that never happened is 0
and not a hole.

Three figures of JupyterHub's have no meaning here and stay at 0: nothing polls a proxy, for
edges report by themselves (`proxy_poll`); a stop is repeated until it is done and so never
fails (`server_stop_seconds`); and starts beyond the limit wait instead of being refused
(`throttled`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_SPAWN_BUCKETS = (0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600)
_DELAYS = (0.05, 0.055, 0.06, 0.065, 0.07, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OUTCOMES = ("success", "failure")
#: Seconds between two turns of the event loop that `watch_loop` asks for.
TURN = 0.05


def _durations(
    name: str,
    about: str,
    labels: Sequence[str] = (),
    values: Sequence[Sequence[str]] = (),
    buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
) -> Histogram:
    histogram = Histogram(name, about, labels, namespace="jupyterhub", registry=REGISTRY, buckets=buckets)
    for value in values:
        histogram.labels(*value)
    return histogram


def _by_outcome(name: str, about: str) -> Histogram:
    return _durations(name, about, ["status"], [[outcome] for outcome in _OUTCOMES])


def _gauge(name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(name, about, labels, namespace="jupyterhub", registry=REGISTRY)


REQUESTS = _durations("request_duration_seconds", "How long requests took", ["method", "handler", "code"])
SPAWNS = _durations(
    "server_spawn_duration_seconds",
    "How long starts of servers took, from being asked for",
    ["status", "reason"],
    [
        ("success", ""),
        ("failure", ""),
        ("error", ""),
        ("failure", "throttled"),
        ("failure", "too-many-users"),
        ("failure", "already-pending"),
    ],
    _SPAWN_BUCKETS,
)
STOPS = _by_outcome("server_stop_seconds", "How long stops of servers took")
POLLS = _durations(
    "server_poll_duration_seconds",
    "How long looks at a server took",
    ["status"],
    [["running"], ["stopped"]],
)
LOGINS = _by_outcome("login_duration_seconds", "How long sign-ins took")
LOGOUTS = _durations("logout_duration_seconds", "How long signing out took")
ROUTES_ADDED = _by_outcome("proxy_add_duration_seconds", "How long it took until every edge had routes")
ROUTES_DELETED = _by_outcome("proxy_delete_duration_seconds", "How long it took until no edge had routes")
ROUTES_CHECKED = _durations("check_routes_duration_seconds", "How long publishing the whole table took")
PROXY_POLLS = _durations("proxy_poll_duration_seconds", "Not used: edges report by themselves")
STARTUP = _durations("hub_startup_duration_seconds", "How long the hub took to start")
ADOPTION = _durations("init_spawners_duration_seconds", "How long finding running servers at the start took")
LOOP = _durations(
    "event_loop_interval_seconds", "Time between turns meant to be 0.05 s apart", buckets=_DELAYS
)
CSP_REPORTS = Counter(
    "csp_reports", "Reports of what a page's policy stopped", namespace="jupyterhub", registry=REGISTRY
)
RUNNING = _gauge("running_servers", "Servers that run")
USERS = _gauge("total_users", "Users there are")
ACTIVE = _gauge("active_users", "Users seen within the period", ["period"])
#: As the groups exporter that dashboards are made for names it.
MEMBERS = _gauge(
    "user_group_info",
    "1 for each user of each group",
    ["usergroup", "username_raw", "username_safe", "username_escaped"],
)

#: Days that each period of `ACTIVE` goes back.
PERIODS = {"24h": 1, "7d": 7, "30d": 30}
for _period in PERIODS:
    ACTIVE.labels(_period)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block takes, if it ends well."""
    started = time.perf_counter()
    yield
    histogram.observe(time.perf_counter() - started)


@contextmanager
def judged(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block takes, as a success, or as a failure when it raises."""
    started = time.perf_counter()
    outcome = "failure"
    try:
        yield
        outcome = "success"
    finally:
        histogram.labels(outcome).observe(time.perf_counter() - started)


async def watch_loop() -> None:
    """Note how late turns of the event loop come, until cancelled."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(TURN)
        now = time.perf_counter()
        LOOP.observe(now - last)
        last = now


class Stopwatch:
    """Durations that begin in one place and end in another; what has no beginning has no end."""

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}

    def begin(self, key: int) -> None:
        """Start the clock, unless it runs."""
        self._begun.setdefault(key, time.perf_counter())

    def end(self, key: int) -> float | None:
        """Seconds since the beginning."""
        begun = self._begun.pop(key, None)
        return None if begun is None else time.perf_counter() - begun
