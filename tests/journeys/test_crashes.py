"""The hub is killed at the worst moment: while twenty servers start.

Nothing is in memory that counts, so the next hub finishes what the last one began: every start
comes to its end, no program runs twice, none is forgotten.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apps
import httpx
import pytest

from hubs import TRIAL, RunningHub, until

PEOPLE = [f"person-{number:02}" for number in range(20)]
#: Fewer than there are people: some starts are under way and some wait when the hub dies.
AT_ONCE = 8


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    config = {
        **TRIAL,
        "profiles": [apps.STEERED],
        "limits": {"concurrent_starts": AT_ONCE},
        "timeouts": {"slow_spawn": "10ms", "start": "60s", "stop": "2s"},
    }
    with RunningHub(config) as hub:
        hub.ask("POST", "users", json={"usernames": PEOPLE})
        yield hub


def start(hub: RunningHub, name: str, options: dict[str, Any]) -> int:
    """Ask for a start; the status, or 0 where no hub was there to answer."""
    body = {"profile": "steered", **options}
    try:
        return hub.ask("POST", f"users/{name}/server", json=body).status_code
    except httpx.TransportError:
        return 0


def facts(hub: RunningHub, name: str) -> dict[str, Any]:
    """What the server of a person says about itself, asked through the edge."""
    with hub.client() as client:
        answer = client.get(f"user/{name}/")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def check_everyone_has_one(hub: RunningHub) -> None:
    """Everybody's server is ready, runs exactly once, and holds a token that is valid."""
    for name in PEOPLE:
        hub.ready(name)
    counted = Counter(hub.server_pids().values())
    assert len(counted) == len(PEOPLE), counted
    assert set(counted.values()) == {1}, "a program runs twice"
    for name in PEOPLE:
        told = facts(hub, name)
        assert told["pid"] in hub.server_pids()
        answer = hub.ask("GET", "user", token=told["env"]["JUPYTERHUB_API_TOKEN"])
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == name


@pytest.mark.timeout(180)
def test_twenty_starts_survive_a_hub_that_is_killed_while_some_run_and_some_wait(hub: RunningHub) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda name: start(hub, name, {"delay": 3}), PEOPLE))
    assert set(statuses) <= {201, 202}, statuses
    until(lambda: len(hub.server_pids()) >= AT_ONCE // 2, "some of them have been launched")
    hub.kill()
    assert len(hub.server_pids()) < len(PEOPLE), "the hub was to die before it had launched all"
    hub.start()
    check_everyone_has_one(hub)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("moment", [0.02, 0.1, 0.3])
def test_a_hub_killed_while_it_takes_requests_forgets_none_that_it_answered(
    hub: RunningHub, moment: float
) -> None:
    assert hub.token
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(start, hub, name, {"delay": 1}) for name in PEOPLE]
        time.sleep(moment)
        hub.kill()
        taken = {name for name, one in zip(PEOPLE, answers, strict=True) if one.result() in (201, 202)}
    hub.start()
    for name in taken:
        hub.ready(name)
    for name in set(PEOPLE) - taken:
        # Asking again is safe: it may have been written down though nobody heard of it.
        assert start(hub, name, {"delay": 1}) in (201, 202, 400)
    check_everyone_has_one(hub)


@pytest.mark.timeout(180)
def test_starts_that_cannot_succeed_end_with_a_reason_after_a_crash(hub: RunningHub) -> None:
    for name in PEOPLE[:AT_ONCE]:
        assert start(hub, name, {"delay": 3}) == 202
    for name in PEOPLE[AT_ONCE:]:
        assert start(hub, name, {"fail": True}) in (202, 500)
    hub.kill()
    hub.start()
    for name in PEOPLE[:AT_ONCE]:
        hub.ready(name)
    with hub.sign_in(PEOPLE[-1]) as browser:
        page = until(
            lambda: found if "Failed" in (found := browser.get("hub/home").text) else None, "it has failed"
        )
        assert "exit status 1" in page or "status 1" in page
    until(lambda: len(hub.server_pids()) == AT_ONCE, "the others have failed too")


@pytest.mark.timeout(180)
def test_stops_are_finished_by_the_next_hub_and_leave_no_process(hub: RunningHub) -> None:
    for name in PEOPLE[:5]:
        start(hub, name, {"children": 4})
    for name in PEOPLE[:5]:
        hub.ready(name)
    with ThreadPoolExecutor(5) as pool:
        stops = [pool.submit(lambda name: _stop(hub, name), name) for name in PEOPLE[:5]]
        time.sleep(0.05)
        hub.kill()
        asked = [name for name, one in zip(PEOPLE[:5], stops, strict=True) if one.result() in (202, 204)]
    hub.start()
    for name in set(PEOPLE[:5]) - set(asked):
        _stop(hub, name)
    until(lambda: not hub.server_pids(), "no process is left")
    assert not any(hub.server(name).get("ready") for name in PEOPLE[:5])


def _stop(hub: RunningHub, name: str) -> int:
    try:
        return hub.ask("DELETE", f"users/{name}/server").status_code
    except httpx.TransportError:
        return 0
