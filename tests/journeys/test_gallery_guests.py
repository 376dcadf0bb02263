"""Whom the edge lets to an app of the gallery, seen from their browsers: nobody, strangers, guests."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
from browsing import PATIENCE, Visitor, visiting
from galleries import APPS, App, dashboard, offering
from guarding import share
from playwright.sync_api import Browser, WebSocket, expect

from hubs import NotMade, RunningHub, until

#: What is promised for requests.
PROMISED = 2.0
GOAL = "user/ada/?from=a%2Flink&x=1"

pytestmark = pytest.mark.timeout(1500)  # another test process may be fetching Streamlit


@pytest.fixture(scope="module")
def app() -> App:
    (streamlit,) = [app for app in APPS if app.name == "streamlit"]
    try:
        streamlit.make()
    except NotMade as reason:
        pytest.skip(f"`gallery/install.sh python` cannot make the environment: {reason}")
    return streamlit


@pytest.fixture(scope="module")
def hub(app: App) -> Iterator[RunningHub]:
    with RunningHub(offering(app.name)) as hub:
        for user in ("ada", "bob", "cyd"):
            hub.token_for(user)
        token = hub.token_for("ada")
        assert hub.ask("POST", "users/ada/server", token=token, json={"profile": app.slug}).is_success
        hub.ready("ada", within=180)
        yield hub


def test_somebody_signed_out_signs_in_and_is_back_at_the_same_address(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.go(GOAL)
        ada.shows("hub/login*")
        ada.sign_in("ada")
        ada.shows(GOAL)
        dashboard(ada.page, hub)


def test_a_stranger_is_told_that_it_is_not_theirs(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob, bob.refused(403):
        bob.sign_in("bob")
        bob.shows("hub/home")
        answer = bob.page.goto(f"{hub.url}{GOAL}")
        assert answer is not None
        assert answer.status == 403
        expect(bob.page.get_by_text("not open to you")).to_be_visible()


def test_a_guest_gets_in_and_is_out_within_two_seconds_of_the_end_of_the_share(
    hub: RunningHub, browser: Browser
) -> None:
    share(hub, "ada", "", {"user": "cyd"})
    with visiting(browser, hub) as ada, visiting(browser, hub) as cyd, cyd.refused(403):
        sockets: list[WebSocket] = []
        cyd.page.on("websocket", lambda socket: sockets.append(socket))
        for visitor, name in ((ada, "ada"), (cyd, "cyd")):
            visitor.go("user/ada/")
            visitor.sign_in(name)
            visitor.shows("user/ada/*")
            dashboard(visitor.page, hub)
        assert _status(cyd) == 200

        assert hub.ask("DELETE", "shares/ada/?user=cyd").status_code in (200, 204)
        began = time.monotonic()
        until(lambda: _status(cyd) in (401, 403), "the guest is out", within=10)
        assert time.monotonic() - began < PROMISED

        # What was open hears its end when next something moves.
        numbers = itertools.cycle("56")
        until(
            lambda: _closed(cyd, sockets, next(numbers)),
            "the guest's websocket has ended",
            within=PATIENCE / 1000,
        )
        ada.page.locator("input[type=number]").fill("13")
        ada.page.locator("input[type=number]").press("Enter")
        expect(ada.page.get_by_text("Seven times that is 91.")).to_be_visible()


def _closed(visitor: Visitor, sockets: list[WebSocket], number: str) -> bool:
    """Type something: what is typed while the page is made anew is lost."""
    field = visitor.page.locator("input[type=number]")
    if field.is_enabled():
        field.fill(number)
        field.press("Enter")
    visitor.page.wait_for_timeout(500)
    return all(socket.is_closed() for socket in sockets)


def _status(visitor: Visitor) -> int:
    """Of a request that the page itself makes, with all that its browser holds."""
    status: int = visitor.page.evaluate("fetch('/user/ada/_stcore/health').then((answer) => answer.status)")
    return status
