"""A start as people watch it: reloads, the back button, small screens, the keyboard alone, no scripts."""

from __future__ import annotations

from collections.abc import Iterator

import apps
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, Locator, expect

from hubs import PASSWORD, TRIAL, RunningHub

#: The narrowest phones in use, in CSS pixels.
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = {
        **TRIAL,
        "profiles": [apps.HELLO, apps.STEERED],
        "timeouts": {"slow_spawn": "20s", "stop": "2s", "undo": "8s"},
    }
    with RunningHub(config) as hub:
        yield hub


def start_slowly(visitor: Visitor, delay: float, name: str = "") -> None:
    """Start an app that takes its time, from the home page."""
    visitor.home()
    card = visitor.card("Steered")
    card.get_by_text("Options").click()
    card.get_by_label("Delay").fill(str(delay))
    if name:
        card.get_by_label("Server name").fill(name)
    card.get_by_role("button", name="Start").click()


def overflow(visitor: Visitor) -> int:
    """By how many pixels the page is wider than the screen."""
    width: int = visitor.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


def test_progress_and_output_are_told_live_and_the_app_opens_by_itself(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        start_slowly(ada, 4)
        ada.shows("hub/spawn-pending/ada")
        expect(ada.page.get_by_role("log")).to_contain_text("Spawning server")
        expect(ada.page.get_by_text("Output of the app")).to_be_visible()
        ada.page.get_by_text("Output of the app").click()
        expect(ada.page.get_by_role("region", name="Output of the app")).to_contain_text("steered: started")
        ada.shows("user/ada/")


def test_a_reload_during_a_start_loses_nothing_and_starts_nothing_twice(
    hub: RunningHub, browser: Browser
) -> None:
    before = len(hub.server_pids())
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        start_slowly(bob, 6)
        bob.shows("hub/spawn-pending/bob")
        expect(bob.page.get_by_role("log")).to_contain_text("Spawning server")
        for _ in range(3):
            bob.page.reload()
            expect(bob.page.get_by_role("log")).to_contain_text("Spawning server")
        lines = bob.page.get_by_role("log").locator("li").all_inner_texts()
        assert len(lines) == len(set(lines)), "a line is shown twice"
        bob.shows("user/bob/")
        assert len(hub.server_pids()) == before + 1


def test_the_back_button_after_a_start_leads_home_and_not_into_a_circle(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as cleo:
        cleo.sign_in("cleo")
        cleo.shows("hub/home")
        cleo.start("Hello")
        cleo.shows("user/cleo/")
        cleo.page.go_back()
        cleo.shows("hub/home")
        # A start for which its button was pressed before can be asked for again.
        expect(cleo.card("Hello").get_by_role("button", name="Start")).to_be_enabled()
        cleo.page.reload()
        expect(cleo.server()).to_contain_text("Ready")


def test_whoever_comes_back_to_a_start_finds_it_again(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as dora:
        dora.sign_in("dora")
        start_slowly(dora, 8)
        dora.shows("hub/spawn-pending/dora")
        dora.home()
        expect(dora.server()).to_contain_text("Starting")
        dora.go("hub/spawn/dora")
        dora.shows("hub/spawn-pending/dora")
        dora.home()
        # The list follows by itself.
        expect(dora.server()).to_contain_text("Ready", timeout=60_000)


def test_a_start_can_be_cancelled_and_leaves_nothing(hub: RunningHub, browser: Browser) -> None:
    before = hub.server_pids()
    with visiting(browser, hub) as emil:
        emil.sign_in("emil")
        start_slowly(emil, 60)
        emil.shows("hub/spawn-pending/emil")
        emil.page.get_by_role("button", name="Cancel").click()
        emil.shows("hub/home")
        expect(emil.server()).to_contain_text("Stopped")
    assert hub.server_pids().keys() <= before.keys()


def test_a_second_server_gets_a_name_and_can_be_deleted_and_brought_back_for_a_while(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as finn:
        finn.sign_in("finn")
        start_slowly(finn, 0)
        finn.shows("user/finn/")
        start_slowly(finn, 0, "second-one")
        finn.shows("user/finn/second-one/")
        finn.home()
        finn.server("second-one").get_by_role("button", name="Stop").click()
        expect(finn.server("second-one")).to_contain_text("Stopped")
        finn.server("second-one").locator("summary").click()
        finn.server("second-one").get_by_role("button", name="Delete").click()
        finn.shows("hub/home")
        expect(finn.server("second-one")).to_contain_text("Deleted.")
        finn.server("second-one").get_by_role("button", name="Undo").click()
        expect(finn.server("second-one")).to_contain_text("Stopped")
        finn.server("second-one").locator("summary").click()
        finn.server("second-one").get_by_role("button", name="Delete").click()
        expect(finn.server("second-one")).to_contain_text("Deleted.")
        # The list follows by itself.
        expect(finn.server("second-one")).to_have_count(0, timeout=60_000)
        expect(finn.server()).to_contain_text("Ready")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_page_without_scrolling_sideways(
    hub: RunningHub, browser: Browser, scheme: str
) -> None:
    name = f"somebody-with-a-rather-long-name-{scheme}@research.example"
    with visiting(browser, hub, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True) as gil:
        gil.go("hub/login")
        assert overflow(gil) == 0
        gil.sign_in(name)
        gil.shows("hub/home")
        assert overflow(gil) == 0
        start_slowly(gil, 5)
        gil.shows("hub/spawn-pending/*")
        assert overflow(gil) == 0
        gil.shows("user/*")
        for path in ("hub/home", "hub/token", "hub/spawn"):
            gil.go(path)
            assert overflow(gil) == 0, path
        with gil.refused(404):
            gil.go("hub/nowhere")
            assert overflow(gil) == 0


def tab_to(visitor: Visitor, goal: Locator) -> None:
    """Press Tab until it has the focus; one sees where one is."""
    for _ in range(60):
        if goal.evaluate("node => node === document.activeElement"):
            break
        visitor.page.keyboard.press("Tab")
    expect(goal).to_be_focused()
    outline: str = goal.evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline != "none", "nobody sees where they are"


def test_the_keyboard_alone_signs_in_starts_opens_stops_and_deletes(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as hana:
        hana.go("hub/login")
        keyboard, server = hana.page.keyboard, hana.server("keys")
        keyboard.type("hana")  # the first field has the focus
        keyboard.press("Tab")
        keyboard.type(PASSWORD)
        keyboard.press("Enter")
        hana.shows("hub/home")
        tab_to(hana, hana.card("Hello").locator("summary"))
        keyboard.press("Enter")
        tab_to(hana, hana.card("Hello").get_by_label("Server name"))
        keyboard.type("keys")
        tab_to(hana, hana.card("Hello").get_by_role("button", name="Start"))
        keyboard.press("Enter")
        hana.shows("user/hana/keys/")
        expect(hana.page.get_by_role("heading", level=1)).to_have_text("Hello, hana")
        tab_to(hana, hana.page.get_by_role("link", name="Back to the hub"))
        keyboard.press("Enter")
        hana.shows("hub/home")
        tab_to(hana, server.get_by_role("link", name="Open"))
        keyboard.press("Enter")
        hana.shows("user/hana/keys/")
        hana.home()
        tab_to(hana, server.get_by_role("button", name="Stop"))
        keyboard.press("Enter")
        expect(server).to_contain_text("Stopped")
        tab_to(hana, server.locator(".menu summary"))
        keyboard.press("Enter")
        keyboard.press("Escape")  # closes it, and one is where one was
        expect(server.locator(".menu summary")).to_be_focused()
        keyboard.press("Enter")
        tab_to(hana, server.get_by_role("button", name="Delete"))
        keyboard.press("Enter")
        expect(server).to_contain_text("Deleted.")
        tab_to(hana, server.get_by_role("button", name="Undo"))
        keyboard.press("Enter")
        expect(server).to_contain_text("Stopped")


def test_two_tabs_tell_the_same_story(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as jo:
        jo.sign_in("jo")
        start_slowly(jo, 60)
        jo.shows("hub/spawn-pending/jo")
        expect(jo.page.get_by_role("log")).to_contain_text("Spawning server")
        other = jo.context.new_page()
        row = other.locator('[data-server="jo/"]')
        other.goto(f"{hub.url}hub/home")
        expect(row).to_contain_text("Starting")
        row.get_by_role("button", name="Cancel").click()
        expect(jo.page.get_by_role("heading", name="It did not start")).to_be_visible()
        expect(jo.page.get_by_role("alert")).to_contain_text("The server was stopped.")
        jo.page.get_by_role("button", name="Start again").click()
        expect(jo.page.get_by_role("heading", name="Starting Steered")).to_be_visible()
        other.reload()
        row.get_by_role("link", name="Show progress").click()
        expect(other.get_by_role("log")).to_contain_text("Spawning server")
        other.get_by_role("button", name="Cancel").click()
        expect(row).to_contain_text("Stopped")
        expect(jo.page.get_by_role("heading", name="It did not start")).to_be_visible()


def test_without_scripts_one_signs_in_starts_watches_and_stops(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub, java_script_enabled=False) as ivo:
        ivo.sign_in("ivo")
        ivo.shows("hub/home")
        start_slowly(ivo, 4)
        ivo.shows("hub/spawn-pending/ivo")
        expect(ivo.page.get_by_role("log")).to_contain_text("Spawning server", timeout=20_000)
        ivo.shows("user/ivo/")  # the page reloads itself until then
        ivo.home()
        ivo.server().get_by_role("button", name="Stop").click()
        ivo.shows("hub/home")
        expect(ivo.server()).to_contain_text("Stopped")
