"""How servers end: by hand, by themselves, by a stop; always wholly, and with a reason."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import apps
import pytest
from browsing import visiting
from playwright.sync_api import Browser, expect

from hubs import TRIAL, RunningHub, until


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = {**TRIAL, "profiles": [apps.STEERED], "timeouts": {"slow_spawn": "20s", "stop": "2s"}}
    with RunningHub(config) as hub:
        yield hub


def start(hub: RunningHub, name: str, server: str = "", **options: Any) -> None:
    """Start a steered app and wait until it is ready."""
    hub.ask("POST", f"users/{name}")
    path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
    answer = hub.ask("POST", path, json={"profile": "steered", **options})
    assert answer.status_code in (201, 202), answer.text
    hub.ready(name, server)


def test_a_server_killed_by_hand_is_noticed_at_once_and_told_with_a_reason(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        start(hub, "ada")
        ada.home()
        expect(ada.server()).to_contain_text("Ready")
        (pid,) = hub.server_pids()
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        until(lambda: not hub.server("ada").get("ready"), "it is noticed", 10)
        assert time.monotonic() - began < 2
        until(lambda: hub.server("ada").get("pending") is None, "it has come to rest")
        ada.home()
        expect(ada.server()).to_contain_text("Failed")
        expect(ada.server()).to_contain_text("killed by signal 9")
        with ada.refused(424):
            ada.go("user/ada/")
            expect(ada.page.get_by_role("button", name="Start again")).to_be_visible()


@pytest.mark.parametrize("adopted", [False, True], ids=["started by this hub", "started by the one before"])
def test_a_stop_ends_every_process_of_a_server_even_in_sessions_of_their_own(
    hub: RunningHub, adopted: bool
) -> None:
    start(hub, "bob", children=4)
    assert len(hub.server_pids()) == 5
    if adopted:
        hub.restart()
        assert len(hub.server_pids()) == 5
    assert hub.ask("DELETE", "users/bob/server").status_code in (202, 204)
    until(lambda: not hub.server_pids(), "no process is left")
    assert hub.server("bob").get("stopped", True)


def test_removing_a_server_ends_it_and_its_children(hub: RunningHub) -> None:
    start(hub, "cleo", "work", children=2)
    assert len(hub.server_pids()) == 3
    answer = hub.ask("DELETE", "users/cleo/servers/work", json={"remove": True})
    assert answer.status_code in (202, 204)
    until(lambda: not hub.server_pids(), "no process is left")
    until(lambda: not hub.server("cleo", "work"), "it is no longer listed")


def test_deleting_a_person_ends_what_they_run(hub: RunningHub) -> None:
    start(hub, "dora", children=1)
    assert hub.ask("DELETE", "users/dora").status_code == 204
    until(lambda: not hub.server_pids(), "no process is left")
    until(lambda: hub.ask("GET", "users/dora").status_code == 404, "she is gone")


def test_a_start_that_fails_shows_why_and_the_output_and_can_be_tried_again(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as emil:
        emil.sign_in("emil")
        emil.shows("hub/home")
        card = emil.card("Steered")
        card.get_by_text("Options").click()
        card.get_by_label("Fail").check()
        card.get_by_role("button", name="Start").click()
        expect(emil.page.get_by_role("heading", name="It did not start")).to_be_visible()
        expect(emil.page.get_by_role("alert")).to_contain_text("ended before it answered")
        expect(emil.page.get_by_role("region", name="Output of the app")).to_contain_text(
            "the disk of the test is full"
        )
        expect(emil.page.get_by_role("button", name="Cancel")).to_be_hidden()
        # A page that listens only once the start is over is told how it ended.
        told = emil.page.request.get(f"{hub.url}hub/progress/emil")
        assert (told.status, told.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert '"failed":true' in told.text()
        with emil.page.expect_navigation():
            emil.page.get_by_role("button", name="Start again").click()
        expect(emil.page.get_by_role("heading", name="It did not start")).to_be_visible()
        emil.home()
        expect(emil.server()).to_contain_text("Failed")
