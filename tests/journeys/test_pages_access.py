"""No page keeps anybody out: axe-core finds nothing, in light and dark, on any page in any state.

Each place is visited once by one browser per width; what is wrong is collected, so that one run
tells everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apps
import pytest
from barriers import NARROW, WIDE, opened, seen
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from hubs import TRIAL, RunningHub, until


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


def judged(visitor: Visitor, paths: dict[str, str], *schemes: str) -> list[str]:
    """What is wrong with these pages; each is known by its heading of the first level."""
    return [one for path, heading in paths.items() for one in seen(visitor, path, heading, *schemes)]


def all_pages(hub: RunningHub) -> dict[str, str]:
    """Every page for people, in every state."""
    consent = (
        "hub/api/oauth2/authorize?client_id=service-docs&response_type=code"
        "&redirect_uri=http%3A%2F%2Fdocs.example%2Fcallback&scope=read:users!user+servers!user"
    )
    return {
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
    }


NEW_PASSWORD = "a better password"
#: Pages of refusals, by the status that they come with.
REFUSALS = {
    424: {"user/ada/old/": "Not running"},
    404: {"hub/nowhere": "Not found", "hub/accept-share?code=nonsense": "Not found"},
    403: {"hub/admin/audit": "Not allowed"},
}


def test_who_has_not_signed_in_meets_no_barrier(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub, viewport=WIDE) as nobody:
        found = judged(nobody, {"hub/login": "Sign in", "hub/api-docs": "API"})
        with nobody.refused(403):
            nobody.sign_in("ada", "wrong")
            expect(nobody.page.get_by_role("alert")).to_be_visible()
            found += nobody.barriers()
        nobody.page.set_viewport_size(NARROW)
        found += judged(nobody, {"hub/login": "Sign in", "hub/api-docs": "API"}, "light")
    assert found == []


def test_who_has_signed_in_meets_no_barrier(hub: RunningHub, browser: Browser) -> None:
    found = []
    with visiting(browser, hub, viewport=WIDE) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        for path, heading in all_pages(hub).items():
            found += seen(ada, path, heading)
            found += opened(ada)
        for status, pages in REFUSALS.items():
            with ada.refused(status):
                found += judged(ada, pages)
    assert found == []


def test_a_narrow_screen_shows_every_page(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub, viewport=NARROW) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        found = judged(ada, all_pages(hub), "light")
        for status, pages in REFUSALS.items():
            with ada.refused(status):
                found += judged(ada, pages, "light")
    assert found == []


def test_a_new_person_with_nothing_yet_meets_no_barrier(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        assert judged(bob, {"hub/home": "Hello, bob", "hub/token": "Tokens"}) == []


def change_password(visitor: Visitor, old: str) -> None:
    """Fill in the form that the page shows, and send it."""
    fields = {"Present password": old, "New password": NEW_PASSWORD, "New password again": NEW_PASSWORD}
    for label, text in fields.items():
        visitor.page.get_by_label(label, exact=True).fill(text)
    visitor.page.get_by_role("button", name="Change my password").click()


def test_the_first_steps_on_a_new_hub_meet_no_barrier(browser: Browser) -> None:
    with RunningHub() as fresh, visiting(browser, fresh) as admin:
        admin.sign_in("admin", fresh.password)
        expect(admin.page.get_by_role("heading", name="Welcome. This hub is new.")).to_be_visible()
        found = admin.barriers()
        admin.page.get_by_role("link", name="Choose a password of your own").click()
        found += seen(admin, "hub/password", "Change my password")
        with admin.refused(403):
            change_password(admin, "not this one")
            expect(admin.page.get_by_role("alert")).to_be_visible()
            found += admin.barriers()
        change_password(admin, fresh.password)
        admin.shows("hub/sign-ins?changed=1")
        found += admin.barriers()
        admin.page.get_by_role("button", name="Sign out").click()
        admin.shows("hub/login*")
        admin.sign_in("admin", NEW_PASSWORD)
        admin.shows("hub/home")
        assert found == []


def test_the_judge_does_find_barriers(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as nobody:
        nobody.go("hub/login")
        assert nobody.barriers() == []
        nobody.page.evaluate("document.querySelector('label').remove()")
        nobody.page.evaluate("document.querySelector('h1').style.color = '#999'")
        assert {one.split(": ")[1] for one in nobody.barriers()} >= {"label", "color-contrast"}
