"""Starts beyond what there is room for wait in a line that everybody can see, and that outlives the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import apps
import httpx
import pytest
from browsing import visiting
from playwright.sync_api import Browser

from hubs import TRIAL, RunningHub, until

PEOPLE = ("ada", "bob", "cy")


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    config = {
        **TRIAL,
        "profiles": [apps.HELLO, {**apps.STEERED, "memory_guarantee": "1G"}],
        "limits": {"servers": 1, "memory": "4G"},
        "timeouts": {"slow_spawn": "100ms", "slow_stop": "10s", "stop": "1s"},
    }
    with RunningHub(config) as running:
        for name in PEOPLE:
            running.ask("POST", f"users/{name}")
        yield running


def start(hub: RunningHub, user: str, server: str = "") -> None:
    """Ask for a server."""
    path = f"users/{user}/servers/{server}" if server else f"users/{user}/server"
    assert hub.ask("POST", path, json={}).status_code in (201, 202)


def stop(hub: RunningHub, user: str, server: str = "") -> None:
    """Stop a server."""
    path = f"users/{user}/servers/{server}" if server else f"users/{user}/server"
    assert hub.ask("DELETE", path).status_code in (202, 204)


def place(hub: RunningHub, user: str, server: str = "") -> int | None:
    """Where a server stands in the line."""
    queue: dict[str, Any] | None = hub.server(user, server).get("queue")
    return None if queue is None else queue["position"]


def places(hub: RunningHub, *keys: str) -> list[int | None]:
    """Where these servers (`ada/lab`) stand."""
    return [place(hub, *key.split("/")) for key in keys]


def told(hub: RunningHub, path: str, enough: Any) -> list[dict[str, Any]]:
    """Events of a start, until there are enough of them."""
    found: list[dict[str, Any]] = []
    with hub.client(hub.token) as client, client.stream("GET", path, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if enough(found):
                    return found
    return found


def test_one_person_with_many_servers_goes_in_after_each_of_the_others(hub: RunningHub) -> None:
    start(hub, "ada", "s1")
    hub.ready("ada", "s1")
    for name in ("s2", "s3", "s4"):
        start(hub, "ada", name)
    for name in ("bob", "cy"):
        start(hub, name)
    line = ("bob/", "cy/", "ada/s2", "ada/s3", "ada/s4")
    until(lambda: places(hub, *line) == [1, 2, 3, 4, 5], "the line is in order")
    queue = hub.server("ada", "s2")["queue"]
    assert queue["waits_for"] == "a server to stop: the hub uses 1 of 1"
    assert queue["estimate"] is None  # when somebody stops a server, nobody knows

    hub.kill()
    hub.start()
    until(lambda: places(hub, *line) == [1, 2, 3, 4, 5], "the line outlives the hub")

    stop(hub, "ada", "s3")  # who waits can go away
    assert hub.server("ada", "s3")["stopped"]
    until(lambda: place(hub, "ada", "s4") == 4, "those behind move up")

    stop(hub, "ada", "s1")
    hub.ready("bob")
    until(lambda: places(hub, "cy/", "ada/s2", "ada/s4") == [1, 2, 3], "everybody moves up")
    stop(hub, "bob")
    hub.ready("cy")
    stop(hub, "cy")
    hub.ready("ada", "s2")


def test_the_progress_stream_tells_each_new_place(hub: RunningHub) -> None:
    start(hub, "ada")
    hub.ready("ada")
    start(hub, "bob")
    start(hub, "cy")
    until(lambda: place(hub, "cy") == 2, "cy waits")
    path = "hub/api/users/cy/server/progress"
    begun = told(hub, path, lambda found: any("queue" in event for event in found))
    assert begun[-1]["queue"] == {
        "position": 2,
        "estimate": None,
        "waits_for": "a server to stop: the hub uses 1 of 1",
    }
    assert begun[-1]["progress"] == 0
    assert begun[-1]["message"].startswith("Number 2 in the line. It waits for a server to stop")
    stop(hub, "bob")

    def let_in(found: list[dict[str, Any]]) -> bool:
        if found[-1].get("queue", {}).get("position") == 1:
            stop(hub, "ada")
        return bool(found[-1].get("ready"))

    events = told(hub, path, let_in)
    heard = [event["queue"]["position"] for event in events if "queue" in event]
    assert heard in ([1], [2, 1])  # the first one as it was when the stream began; each place once
    assert events[-1]["progress"] == 100


def test_the_page_of_a_start_shows_its_place_and_moves_it_up(hub: RunningHub, browser: Browser) -> None:
    start(hub, "ada")
    hub.ready("ada")
    start(hub, "bob")
    with visiting(browser, hub) as visitor:
        visitor.sign_in("cy")
        start(hub, "cy")
        until(lambda: place(hub, "cy") == 2, "cy waits")
        page = visitor.go("hub/spawn-pending/cy")
        page.get_by_text("Number 2 in the line").wait_for()
        page.get_by_text("It waits for a server to stop: the hub uses 1 of 1.").wait_for()
        stop(hub, "bob")
        page.get_by_text("Number 1 in the line").wait_for()
        page.get_by_role("button", name="Cancel").click()
        until(lambda: hub.server("cy")["stopped"], "it waits no longer")


def test_a_start_larger_than_a_limit_is_refused_at_once_and_validate_says_so(hub: RunningHub) -> None:
    hub.ask("POST", "profiles", json={"slug": "huge", "command": ["app"], "memory_limit": "64G"})
    hub.ask("POST", "profiles/huge/bindings", json={"user": "bob"})
    refused = hub.ask("POST", "users/bob/server", json={"profile": "huge"})
    assert refused.status_code == 400, refused.text
    words = "This start can never have memory: it asks for 64 GB, and the limit of the hub is 4 GB."
    assert words in refused.json()["message"]
    verdict = hub.ask("POST", "profiles/huge/validate", json={"user": "bob"}).json()
    assert (verdict["ok"], [one["rule"] for one in verdict["problems"]]) == (False, ["limits"])

    start(hub, "ada")
    hub.ready("ada")
    verdict = hub.ask("POST", "profiles/hello/validate", json={"user": "bob"}).json()
    assert verdict["ok"]
    assert verdict["waits"] == "Number 1 in the line. It waits for a server to stop: the hub uses 1 of 1."


def test_a_start_that_waits_for_others_to_start_is_told_about_how_long(hub: RunningHub) -> None:
    hub.stop()
    hub.config["limits"] = {"concurrent_starts": 1}
    hub.start()
    slow = {"profile": "steered", "delay": 1.5}
    for name in PEOPLE:
        assert hub.ask("POST", f"users/{name}/server", json=slow).status_code == 202
    until(lambda: place(hub, "cy") == 2, "cy waits")
    assert hub.server("cy")["queue"]["estimate"] is None  # nothing was started before
    hub.ready("ada")

    def estimate() -> int | None:
        queue = hub.server("cy").get("queue")
        return queue["estimate"] if queue else None

    assert until(estimate, "it is known") in (5, 10)
    hub.ready("cy")


def test_waiting_ends_with_the_one_who_waits(hub: RunningHub) -> None:
    start(hub, "ada")
    hub.ready("ada")
    start(hub, "bob")
    assert hub.ask("DELETE", "users/bob").status_code == 204
    start(hub, "cy")
    until(lambda: place(hub, "cy") == 1, "nobody is before cy")
    with pytest.raises(httpx.HTTPStatusError):
        hub.ask("GET", "users/bob").raise_for_status()
