"""No administrators' page keeps anybody out: axe-core finds nothing on any of them, in any of their states.

What must be visited comes from the app's routes, so that a new page cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

import apps
import pytest
from barriers import NARROW, WIDE, opened, seen
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from all_routes import admin_routes
from hubs import TRIAL, RunningHub, until

#: Each page by its address, with its heading.
PLACES = {
    "hub/admin": "Users",
    "hub/admin/users/ada": "ada",
    "hub/admin/add": "Add users",
    "hub/admin/groups": "Groups",
    "hub/admin/groups/analysts": "analysts",
    "hub/admin/groups/team": "team",
    "hub/admin/servers": "Servers",
    "hub/admin/profiles": "Profiles",
    "hub/admin/profiles/hello": "Hello",
    "hub/admin/profiles/made": "made",
    "hub/admin/new-profile": "New profile",
    "hub/admin/services": "Services",
    "hub/admin/tokens": "All tokens",
    "hub/admin/audit": "Audit log",
    "hub/admin/status": "Status",
    "hub/admin/jobs/1": "Stop servers of users",
}
#: The same pages when there is nothing to show.
EMPTY = ("hub/admin", "hub/admin/groups", "hub/admin/servers", "hub/admin/services", "hub/admin/tokens")


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = {
        **TRIAL,
        "groups": {"analysts": {"members": ["ada"], "properties": {"cost": "42"}}},
        "profiles": [apps.HELLO, apps.STEERED],
        "announcement": "Maintenance on Friday from 18:00.",
        "services": [{"name": "docs", "url": "http://127.0.0.1:9", "api_token": "a token for the tests"}],
    }
    with RunningHub(config) as hub:
        names = [f"somebody-with-a-rather-long-name-{number:03}@research.example" for number in range(60)]
        hub.ask("POST", "users", json={"usernames": names})
        hub.ask("POST", "groups/team")
        hub.ask("POST", "groups/team/users", json={"users": ["ada", *names]})
        hub.ask("POST", "users/ada/tokens", json={"note": "backup"})
        for number in range(60):
            hub.ask("POST", f"services/helper-{number:02}", json={"url": "http://127.0.0.1:9"})
        hub.ask("POST", "profiles", json={"slug": "made", "command": ["app"]})
        hub.ask("POST", "profiles/made/bindings", json={"group": "team"})
        hub.ask("POST", "users/ada/server", json={})
        hub.ask("POST", "users/ada/servers/ended", json={"profile": "steered", "fail": True})
        hub.ready("ada")
        with hub.sign_in("admin") as admin:
            admin.get("hub/home")
            hub.post_form(admin, "hub/admin/users/bulk", do="stop", names="admin\nnobody-here")
            until(lambda: "Over: 1 of 2" in admin.get("hub/admin/jobs/1").text, "the bulk action is over")
        yield hub


@pytest.fixture
def admin(hub: RunningHub, browser: Browser) -> Iterator[Visitor]:
    with visiting(browser, hub, viewport=WIDE) as admin:
        admin.sign_in("admin")
        yield admin


def test_every_page_is_visited() -> None:
    pages = {path[1:] for method, path in admin_routes() if method == "GET"}
    patterns = {page: page.replace("{", "[!").replace("}", "]*") for page in pages}
    assert {page for page in pages if not any(fnmatch(path, patterns[page]) for path in PLACES)} == set()


def test_no_page_and_nothing_that_opens_on_it_is_a_barrier(admin: Visitor) -> None:
    found = []
    for path, heading in PLACES.items():
        found += seen(admin, path, heading)
        found += opened(admin)
    assert found == []


def test_a_narrow_screen_shows_every_page(hub: RunningHub, browser: Browser) -> None:
    found = []
    with visiting(browser, hub, viewport=NARROW) as admin:
        admin.sign_in("admin")
        for path, heading in PLACES.items():
            found += seen(admin, path, heading, "light")
    assert found == []


def test_a_list_that_holds_nothing_is_no_barrier(admin: Visitor) -> None:
    assert [one for path in EMPTY for one in seen(admin, f"{path}?search=zzz", "")] == []


def test_what_was_wrong_with_a_form_is_told_to_everybody(admin: Visitor) -> None:
    page = admin.page
    admin.go("hub/admin/add")
    page.get_by_role("textbox").fill("name,groups\nola,nowhere\nnina,team")
    with admin.refused(400):
        page.get_by_role("button", name="Look at it first").click()
        expect(page.get_by_role("alert")).to_contain_text("1 line cannot be done")
        found = admin.barriers()
    page.get_by_role("textbox").fill("nina,team")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("status")).to_contain_text("1 line is fine")
    found += admin.barriers()

    admin.go("hub/admin/groups/team")
    page.get_by_label("Names of users").fill("nobody-here")
    with admin.refused(400):
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("No such user")
        found += admin.barriers()

    admin.go("hub/admin/new-profile")
    page.get_by_label("Short name").fill("mine")
    page.get_by_label("Definition").fill("comand: [x]")
    expect(page.locator("#verdict .bad")).to_contain_text("comand")
    found += admin.barriers()
    page.get_by_label("Definition").fill("command: [x]")
    expect(page.locator("#verdict .good")).to_be_visible()
    found += admin.barriers()

    admin.go("hub/admin?search=somebody")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Delete …").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 1 user?")
    found += admin.barriers()
    assert found == []
