"""An app that reports nothing is stopped when nobody uses it, and not while somebody does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from guarding import WebSocket, cookie, echoing, pass_of, signed_in, start

from hubs import RunningHub, until

TIMEOUT = 15
#: The edge tells once a minute that an app is used, and nobody is stopped too early.
LATE = 60


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    with RunningHub(echoing(idle_timeout=f"{TIMEOUT}s")) as hub:
        yield hub


@pytest.mark.timeout(600)
def test_a_server_is_stopped_after_its_time_without_use_and_says_so(hub: RunningHub) -> None:
    for name in ("unused", "used", "pinged"):
        start(hub, "ada", name)
    ready = time.monotonic()
    paths = [f"/user/ada/{name}/" for name in ("used", "pinged")]
    with signed_in(hub, "ada", *paths) as browser:
        used, pinged = [WebSocket(hub, f"{path}ws", cookie(pass_of(browser, path))) for path in paths]
        with used, pinged:
            assert used.opened == pinged.opened == 101

            def gone(name: str) -> bool:
                # Something is typed all the time in one, and the other only keeps itself alive.
                assert used.ask("something typed") == "something typed"
                pinged.ask("", kind=9)
                time.sleep(1)
                return bool(hub.server("ada", name)["stopped"])

            until(lambda: gone("unused"), "the unused server is stopped", within=150)
            assert time.monotonic() - ready > TIMEOUT + LATE - 5
            until(lambda: gone("pinged"), "the server that is only pinged is stopped", within=150)
            # Longer than it may be unused, and its use has been told again since.
            while time.monotonic() - ready < 2 * LATE + TIMEOUT:
                assert not gone("used")
            assert hub.server("ada", "used")["ready"]

    why = f"Stopped after {TIMEOUT} seconds without use."
    assert hub.server("ada", "unused")["state"] == {"reason": why}
    own = hub.ask("GET", "users/ada/servers/unused?own_keys=1", token=hub.token_for("ada")).json()
    assert "state" not in own
    assert (own["reason"], own["profile"], own["profile_version"]) == (why, "echo", 1)
    with hub.sign_in("ada") as browser:
        assert why in browser.get("hub/home").text
        assert why in browser.get("hub/user/ada/unused/").text

    # It starts again like any other, and nothing is left of the reason.
    start(hub, "ada", "unused")
    assert "reason" not in hub.server("ada", "unused")["state"]
