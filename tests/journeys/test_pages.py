"""What people do with the pages of the hub: sign in and out, look around, make tokens."""

from __future__ import annotations

from collections.abc import Iterator

import apps
import httpx
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, Page, expect

from hubs import TRIAL, RunningHub, until


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    locked = {**apps.STEERED, "slug": "locked", "display_name": "Locked", "groups": ["analysts"]}
    config = {
        **TRIAL,
        "groups": {"analysts": {}},
        "profiles": [apps.HELLO, locked],
        "timeouts": {"slow_spawn": "20s"},
    }
    with RunningHub(config) as hub:
        yield hub


def open_hello(visitor: Visitor, name: str) -> None:
    """Sign in, start the sample app and wait until it is shown."""
    visitor.sign_in(name)
    visitor.shows("hub/home")
    visitor.start("Hello")
    visitor.shows(f"user/{name}/")


def old_browser(visitor: Visitor) -> httpx.Client:
    """A client that holds the cookies which the browser holds now."""
    client = visitor.hub.client()
    for cookie in visitor.context.cookies():
        client.cookies.set(cookie["name"], cookie["value"], path=cookie["path"])
    return client


def test_a_wrong_password_is_told_and_the_right_one_leads_where_one_wanted_to_go(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.go("hub/token")
        expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
        with ada.refused(403):
            ada.sign_in("ada", "not the password")
            expect(ada.page.get_by_role("alert")).to_have_text("Invalid username or password")
        expect(ada.page.get_by_label("User name")).to_have_value("ada")
        expect(ada.page.get_by_label("Password", exact=True)).to_be_focused()
        assert "jupyterhub-hub-login" not in ada.cookies()
        ada.sign_in("ada")
        ada.shows("hub/token")
        ada.home()
        expect(ada.page.get_by_role("heading", level=1)).to_have_text("Hello, ada")


def test_home_offers_what_may_be_started_and_says_why_the_rest_may_not(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        expect(ada.card("Hello").get_by_role("button", name="Start")).to_be_enabled()
        expect(ada.card("Locked")).to_contain_text("analysts")
        expect(ada.card("Locked").get_by_role("button", name="Start")).to_have_count(0)
        hub.ask("POST", "groups/analysts/users", json={"users": ["ada"]})
        ada.page.reload()
        expect(ada.card("Locked").get_by_role("button", name="Start")).to_be_enabled()
        hub.ask("DELETE", "groups/analysts/users", json={"users": ["ada"]})


def test_the_sample_app_says_who_visits_and_what_it_was_started_with(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as bob:
        open_hello(bob, "bob")
        expect(bob.page.get_by_role("heading", level=1)).to_have_text("Hello, bob")
        expect(bob.page.locator("dl")).to_contain_text("bob / default server")
        expect(bob.page.locator("dl")).to_contain_text("hello")
        bob.page.get_by_role("link", name="Back to the hub").click()
        bob.shows("hub/home")
        expect(bob.server()).to_contain_text("Ready")


def test_nobody_else_is_let_into_a_server(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as cleo, visiting(browser, hub) as mallory:
        open_hello(cleo, "cleo")
        mallory.sign_in("mallory")
        mallory.shows("hub/home")
        with mallory.refused(403):
            mallory.go("user/cleo/")
            expect(mallory.page.locator("body")).not_to_contain_text("cleo / default server")
            expect(mallory.page.get_by_role("heading", level=1)).to_contain_text("Not allowed")


def test_a_token_is_shown_once_can_be_copied_works_and_ends_when_revoked(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub, permissions=["clipboard-read", "clipboard-write"]) as dora:
        dora.sign_in("dora")
        dora.shows("hub/home")
        dora.page.get_by_role("link", name="Tokens").click()
        dora.page.get_by_label("What it is for").fill("backup script")
        dora.page.get_by_role("button", name="Create a token").click()
        field = dora.page.get_by_role("textbox", name="Your new token")
        token = field.input_value()
        dora.page.get_by_role("button", name="Copy").click()
        expect(dora.page.get_by_role("button", name="Copied")).to_be_visible()
        assert dora.page.evaluate("navigator.clipboard.readText()") == token
        assert hub.ask("GET", "user", token=token).json()["name"] == "dora"

        dora.go("hub/token")
        expect(field).to_have_count(0)
        assert token not in dora.page.content()
        dora.page.get_by_role("button", name="Revoke backup script").click()
        dialog = dora.page.get_by_role("dialog", name="Revoke “backup script”?")
        expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
        dialog.get_by_role("button", name="Revoke").click()
        dora.shows("hub/token")
        expect(dora.page.get_by_text("backup script")).to_have_count(0)
        assert hub.ask("GET", "user", token=token).status_code in (401, 403)


def test_a_token_with_a_scope_that_one_does_not_have_is_refused_in_words(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as dora:
        dora.sign_in("dora")
        dora.shows("hub/home")
        dora.go("hub/token")
        dora.page.get_by_label("Only this:").check()
        dora.page.get_by_text("Other scopes").click()
        dora.page.get_by_label("Scopes", exact=True).fill("admin:users")
        with dora.refused(400):
            dora.page.get_by_role("button", name="Create a token").click()
            expect(dora.page.get_by_role("alert")).to_contain_text("admin:users")
        expect(dora.page.get_by_label("Scopes", exact=True)).to_have_value("admin:users")


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("hub/nowhere", 404, "Not found"),
        ("hub/spawn/ada", 404, "Not found"),
        ("user/nobody/", 404, "Not found"),
        ("hub/home/", 404, "Not found"),
    ],
)
def test_what_is_not_there_or_not_open_to_one_is_a_page_in_words_with_a_way_home(
    hub: RunningHub, browser: Browser, path: str, status: int, heading: str
) -> None:
    with visiting(browser, hub) as eve:
        eve.sign_in("eve")
        eve.shows("hub/home")
        with eve.refused(status):
            answer = eve.page.goto(f"{hub.url}{path}")
            assert answer is not None
            assert answer.status == status
            expect(eve.page.get_by_role("heading", level=1)).to_have_text(heading)
        eve.page.get_by_role("main").get_by_role("link", name="Home").click()
        eve.shows("hub/home")


def test_signing_out_ends_the_session_and_every_app_that_it_opened(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as finn:
        open_hello(finn, "finn")
        with old_browser(finn) as old:
            assert old.get("hub/home").status_code == 200
            assert "Hello, finn" in old.get("user/finn/").text
            finn.home()
            finn.page.get_by_role("button", name="Sign out").click()
            expect(finn.page.get_by_role("heading", name="Sign in")).to_be_visible()
            assert "jupyterhub-hub-login" not in finn.cookies()
            assert "jupyterhub-session-id" not in finn.cookies()

            assert old.get("hub/home").status_code == 302, "the old session still counts"
            # The app asks the hub about a visitor again after half a minute.
            until(lambda: "Hello, finn" not in old.get("user/finn/").text, "the app has noticed", 90)
        _is_asked_to_sign_in(finn.go("hub/home"))
        _is_asked_to_sign_in(finn.go("user/finn/"))
    assert hub.server("finn")["ready"], "signing out stops nothing"


def _is_asked_to_sign_in(page: Page) -> None:
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
