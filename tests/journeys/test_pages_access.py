"""No page keeps anybody out: axe-core finds nothing, in light and dark, on any page in any state.

Each place is visited once by one browser per width; what is wrong is collected, so that one run
tells everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apps
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from hubs import TRIAL, RunningHub, until

#: The narrowest screen that WCAG asks for, and a usual one, in CSS pixels.
WIDTHS = (320, 1280)


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    asks = {
        **apps.STEERED,
        "slug": "asks",
        "display_name": "Asks a lot",
        "description": "Every kind of option.",
        "icon": "chart",
        "memory_limit": "2G",
        "cpu_limit": 1.5,
        "options": {
            **apps.STEERED["options"],
            "folder": {"title": "Folder", "description": "Below your home."},
            "image": {"title": "Image", "choices": ["a", "b"], "default": "a"},
        },
    }
    config: dict[str, Any] = {
        **TRIAL,
        "groups": {"analysts": {}},
        "announcement": "Maintenance on Friday from 18:00.",
        "profiles": [
            apps.HELLO,
            apps.STEERED,
            asks,
            {
                **apps.HELLO,
                "slug": "locked",
                "default": False,
                "display_name": "Locked",
                "groups": ["analysts"],
            },
        ],
        "services": [
            {
                "name": "docs",
                "url": "http://127.0.0.1:9",
                "api_token": "a token for the tests",
                "oauth_redirect_uri": "http://docs.example/callback",
                "oauth_client_allowed_scopes": ["read:users!user", "servers!user"],
                "roles": [],
            }
        ],
        "roles": [
            {
                "name": "user",
                "description": "People, who may also share and open the service.",
                "scopes": ["self", "access:services", "shares!user", "read:users:name", "read:groups:name"],
            }
        ],
        "timeouts": {"slow_spawn": "5s", "stop": "2s", "start": "30m"},
    }
    with RunningHub(config) as hub:
        _fill(hub)
        yield hub


def _fill(hub: RunningHub) -> None:
    """People with servers in every state."""
    for name in ("ada", "eve"):
        hub.ask("POST", f"users/{name}")
    ask = {"profile": "steered"}
    for name, options in (("fine", {}), ("slow", {"delay": 600}), ("ended", {"fail": True}), ("old", {})):
        hub.ask("POST", f"users/ada/servers/{name}", json={**ask, **options})
    hub.ask("POST", "users/eve/servers/hers", json=ask)
    hub.ready("ada", "fine")
    hub.ready("ada", "old")
    hub.ready("eve", "hers")
    hub.ask("DELETE", "users/ada/servers/old")
    hub.ask("POST", "shares/eve/hers", json={"user": "ada"})
    hub.ask("POST", "users/ada/tokens", json={"note": "backup", "scopes": ["read:servers!user"]})
    until(lambda: hub.server("ada", "old").get("stopped"), "it has stopped")


def code(hub: RunningHub) -> str:
    """A code for a share of eve's server."""
    answer = hub.ask("POST", "share-codes/eve/hers", json={})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["code"])


def judged(visitor: Visitor, paths: dict[str, str]) -> list[str]:
    """What is wrong with these pages; each is known by its heading of the first level."""
    found = []
    for path, heading in paths.items():
        visitor.go(path)
        expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(heading)
        found += visitor.barriers()
        if visitor.overflow:
            found.append(f"{path}: wider than the screen by {visitor.overflow} pixels")
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_who_has_not_signed_in_meets_no_barrier(hub: RunningHub, browser: Browser, width: int) -> None:
    with visiting(browser, hub, viewport={"width": width, "height": 800}) as nobody:
        found = judged(nobody, {"hub/login": "Sign in", "hub/api-docs": "API"})
        with nobody.refused(403):
            nobody.sign_in("ada", "wrong")
            expect(nobody.page.get_by_role("alert")).to_be_visible()
            found += nobody.barriers()
    assert found == []


@pytest.mark.parametrize("width", WIDTHS)
def test_who_has_signed_in_meets_no_barrier(hub: RunningHub, browser: Browser, width: int) -> None:
    consent = (
        "hub/api/oauth2/authorize?client_id=service-docs&response_type=code"
        "&redirect_uri=http%3A%2F%2Fdocs.example%2Fcallback&scope=read:users!user+servers!user"
    )
    with visiting(browser, hub, viewport={"width": width, "height": 800}) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        found = judged(
            ada,
            {
                "hub/home": "Hello, ada",
                "hub/spawn/ada?profile=asks": "Start Asks a lot",
                "hub/spawn-pending/ada/slow": "Starting slow",
                "hub/spawn-pending/ada/ended": "It did not start",
                "hub/server/ada/fine": "fine",
                "hub/server/ada/ended": "ended",
                "hub/sign-ins": "My account",
                "hub/token": "Tokens",
                consent: "Allow",
                f"hub/accept-share?code={code(hub)}": "shares the server",
            },
        )
        with ada.refused(424):
            found += judged(ada, {"user/ada/old/": "Not running"})
        with ada.refused(404):
            found += judged(ada, {"hub/nowhere": "Not found"})
    assert found == []


def test_a_new_person_with_nothing_yet_meets_no_barrier(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        assert judged(bob, {"hub/home": "Hello, bob", "hub/token": "Tokens"}) == []


def test_the_judge_does_find_barriers(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as nobody:
        nobody.go("hub/login")
        assert nobody.barriers() == []
        nobody.page.evaluate("document.querySelector('label').remove()")
        nobody.page.evaluate("document.querySelector('h1').style.color = '#999'")
        assert {one.split(": ")[1] for one in nobody.barriers()} >= {"label", "color-contrast"}
