"""Every app of the gallery, from its card on the home page to an answer of the program behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from browsing import Visitor, visiting
from galleries import App, offering, wanted
from guarding import questions, share
from playwright.sync_api import Browser, WebSocket, expect

from hubs import NotMade, RunningHub, until

SERVER = "user/ada/again"
#: How soon who may no longer visit is out (seconds).
PROMISED = 2.0


@pytest.fixture(params=wanted(), ids=lambda app: app.name)
def app(request: pytest.FixtureRequest) -> App:
    """An app whose environment is there."""
    app: App = request.param
    try:
        app.make()
    except NotMade as reason:
        pytest.skip(f"`{' '.join(app.made_by)}` cannot make the environment of {app.name}: {reason}")
    return app


@pytest.fixture
def hub(app: App) -> Iterator[RunningHub]:
    with RunningHub(offering(app.name)) as hub:
        yield hub


@pytest.mark.timeout(1500)
def test_a_member_starts_it_by_page_and_by_api_and_uses_it(
    hub: RunningHub, browser: Browser, app: App
) -> None:
    with visiting(browser, hub) as ada:
        sockets: list[WebSocket] = []
        ada.page.on("websocket", lambda socket: sockets.append(socket))
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.start(app.title)
        ada.shows("user/ada/*")
        app.use(ada.page, hub)
        assert bool(sockets) == app.socket
        assert all(socket.url.startswith(f"ws://{hub.address}/user/ada/") for socket in sockets)

        # A page of dozens of files: all but the first come in by the pass alone.
        before = questions(hub)
        ada.page.reload()
        ada.page.wait_for_timeout(3000)
        assert questions(hub) - before <= 1

        ada.home()
        ada.server().get_by_role("button", name="Stop").click()
        expect(ada.server()).to_contain_text("Stopped")
    until(lambda: not hub.server_pids(), "nothing of it is left")

    token = hub.token_for("ada")
    answer = hub.ask("POST", "users/ada/servers/again", token=token, json={"profile": app.slug})
    assert answer.status_code in (201, 202), answer.text
    hub.ready("ada", "again", within=180)
    goal = goal_of(app)
    with visiting(browser, hub) as ada:
        # Signed out, one signs in and is back where one wanted to go.
        ada.go(goal)
        ada.shows("hub/login*")
        ada.sign_in("ada")
        ada.shows(f"{SERVER}/*")
        app.use(ada.page, hub)
    for name in ("bob", "cyd"):
        hub.token_for(name)
    with visiting(browser, hub) as bob, bob.refused(403):
        bob.sign_in("bob")
        bob.shows("hub/home")
        answer = bob.page.goto(f"{hub.url}{goal}")
        assert answer is not None
        assert answer.status == 403
    share(hub, "ada", "again", {"user": "cyd"})
    with visiting(browser, hub) as cyd, cyd.refused(403), cyd.refused(401):
        cyd.sign_in("cyd")
        cyd.shows("hub/home")
        cyd.page.get_by_role("link", name="Open").click()
        cyd.shows(f"{SERVER}/*")
        app.use(cyd.page, hub)
        assert lets_in(cyd, goal)
        assert hub.ask("PATCH", "shares/ada/again", json={"user": "cyd"}).is_success
        began = time.monotonic()
        until(lambda: asked_by(cyd, goal) in (401, 403), "the guest is out", within=10)
        assert time.monotonic() - began < PROMISED


def goal_of(app: App) -> str:
    """A page of the server that somebody was told, with more in its address than the hub would say."""
    page = app.page.replace("{base}", f"/{SERVER}")
    return f"{SERVER}/{page}{'&' if '?' in page else '?'}from=a%2Flink"


def lets_in(visitor: Visitor, goal: str) -> bool:
    """Whether the app itself answers, perhaps after leading to another of its own addresses."""
    answer = visitor.context.request.get(f"{visitor.hub.url}{goal}")
    return answer.status == 200 and answer.url.startswith(f"{visitor.hub.url}{SERVER}/")


def asked_by(visitor: Visitor, goal: str) -> int:
    """The status of a request with all that the visitor's browser holds."""
    return visitor.context.request.get(f"{visitor.hub.url}{goal}", max_redirects=0).status
