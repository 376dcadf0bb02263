"""An unmodified jupyterhub-singleuser behind the hub: who gets in, what it reports, how access ends."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import lab
import pytest
from browsing import visiting
from playwright.sync_api import Browser, expect

from hubs import RunningHub, until


@pytest.fixture(scope="module")
def hub(jupyterlab: str) -> Iterator[RunningHub]:
    with RunningHub(lab.offering(jupyterlab)) as hub:
        answer = hub.ask("POST", "users/ada/server", json={"profile": "jupyterlab"})
        assert answer.status_code in (201, 202), answer.text
        hub.ready("ada", within=120)
        yield hub


def contents(hub: RunningHub, token: str | None) -> httpx.Response:
    """Ask ada's server for her files."""
    headers = {"authorization": f"token {token}"} if token else {}
    with hub.client() as client:
        return client.get("user/ada/api/contents", headers=headers)


def test_tokens_of_the_owner_and_of_administrators_get_in(hub: RunningHub) -> None:
    for token in (hub.token_for("ada"), hub.token):
        answer = contents(hub, token)
        assert answer.status_code == 200, answer.text
        assert answer.json()["type"] == "directory"


def test_tokens_of_others_made_up_ones_and_none_do_not(hub: RunningHub) -> None:
    assert contents(hub, hub.token_for("bob")).status_code == 403
    assert contents(hub, "f" * 64).status_code == 403
    assert contents(hub, None).status_code == 403


def test_a_token_without_access_to_servers_does_not_get_in(hub: RunningHub) -> None:
    made = hub.ask("POST", "users/ada/tokens", json={"scopes": ["read:users!user=ada"]})
    assert made.status_code == 201, made.text
    assert contents(hub, made.json()["token"]).status_code == 403


def test_activity_that_it_reports_reaches_the_user_and_the_server(hub: RunningHub) -> None:
    before = hub.server("ada")["last_activity"]
    token = hub.token_for("ada")

    def reported() -> bool:
        contents(hub, token)
        return bool(hub.server("ada")["last_activity"] > before)

    until(reported, "its use was reported", 60)
    user = hub.ask("GET", "users/ada").json()
    assert user["last_activity"] >= hub.server("ada")["last_activity"]


def test_it_knows_whose_it_is_and_runs_the_version_it_should(hub: RunningHub) -> None:
    with hub.client() as client:
        answer = client.get("user/ada/api", headers={"authorization": f"token {hub.token_for('ada')}"})
    assert answer.headers["x-jupyterhub-version"] == "6.1.1"


def test_signing_out_of_the_hub_ends_access_to_it(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.server().get_by_role("link", name="Open").click()
        ada.shows("user/ada/lab*")
        expect(ada.page.locator(".jp-LauncherCard").first).to_be_visible(timeout=60_000)
        ada.home()
        ada.page.get_by_role("button", name="Sign out").click()
        expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        ada.go("user/ada/lab")
        expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        # Signed in again, one comes to where one wanted to go.
        ada.sign_in("ada")
        ada.shows("user/ada/lab*")


def test_signing_out_inside_it_signs_out_of_the_hub(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.server().get_by_role("link", name="Open").click()
        ada.shows("user/ada/lab*")
        ada.go("user/ada/logout")
        ada.go("hub/home")
        expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_visitor_without_the_right_is_kept_out_in_the_browser(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        bob.shows("hub/home")
        with bob.refused(403):
            bob.go("user/ada/lab")
            expect(bob.page.locator("body")).to_contain_text("403")
        expect(bob.page.locator(".jp-LauncherCard")).to_have_count(0)
