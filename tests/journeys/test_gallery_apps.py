"""Every app of the gallery, from its card on the home page to an answer of the program behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import visiting
from galleries import App, offering, wanted
from guarding import questions
from playwright.sync_api import Browser, WebSocket, expect

from hubs import NotMade, RunningHub, until


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
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.server("again").get_by_role("link", name="Open").click()
        ada.shows("user/ada/again/*")
        app.use(ada.page, hub)
