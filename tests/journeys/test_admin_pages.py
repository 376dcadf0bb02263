"""The administrators' pages in a browser: looking for people, adding them, looking after many of them."""

from __future__ import annotations

from collections.abc import Iterator

import apps
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from hubs import TRIAL, RunningHub, until


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = {
        **TRIAL,
        "groups": {"analysts": {"members": ["ada"], "properties": {"cost": "42"}}, "team": {}},
        "roles": [
            {"name": "keepers", "scopes": ["groups!group=team"], "users": ["kim"]},
            {"name": "auditors", "scopes": ["read:audit"], "users": ["max"]},
        ],
        "profiles": [apps.HELLO],
        "services": [{"name": "docs", "url": "http://127.0.0.1:9", "api_token": "a token for the tests"}],
    }
    with RunningHub(config) as hub:
        hub.ask("POST", "users", json={"usernames": [f"user-{number:03}" for number in range(120)]})
        hub.ask("POST", "users/ada/tokens", json={"note": "backup"})
        for name in ("user-001", "user-002"):
            hub.ask("POST", f"users/{name}/server", json={})
            hub.ready(name)
        yield hub


def names(visitor: Visitor) -> list[str]:
    """The users in the list."""
    return visitor.page.locator("tbody th a").all_inner_texts()


def listed(visitor: Visitor, wanted: list[str], where: str = "tbody th a") -> None:
    """Wait until these are in the list, and no others: a page that has come is not all there yet."""
    expect(visitor.page.locator(where)).to_have_text(wanted)


def test_users_are_searched_sorted_and_paged(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin")
        first = names(admin)
        assert first == sorted(first)
        admin.page.get_by_role("link", name="Next").click()
        until(lambda: names(admin)[:1] > first[-1:], "the next page is there")
        admin.page.get_by_role("link", name="Previous").click()
        listed(admin, first)
        admin.page.get_by_role("searchbox").fill("ER-00")
        admin.page.get_by_role("button", name="Search").click()
        listed(admin, [f"user-{number:03}" for number in range(10)])
        admin.page.get_by_role("link", name="With a running server").click()
        listed(admin, ["user-001", "user-002"])


def test_users_are_added_by_the_keyboard_alone(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin/add")
        keys = admin.page.keyboard
        expect(admin.page.get_by_role("textbox")).to_be_focused()
        keys.type("name,groups,admin\nnina,team,no\nola,nowhere\n,team")
        keys.press("Tab")
        with admin.refused(400):
            keys.press("Enter")
            expect(admin.page.get_by_role("alert")).to_contain_text("2 lines cannot be done")
        expect(admin.page.locator("tbody tr").first).to_contain_text("There is no group nowhere.")
        assert hub.ask("GET", "users/nina").status_code == 404
        box = admin.page.get_by_role("textbox")
        box.focus()
        keys.press("Control+A")
        keys.type("name,groups,admin\nnina,team,no\nola,team")
        keys.press("Tab")
        keys.press("Enter")
        expect(admin.page.get_by_role("status")).to_contain_text("2 lines are fine")
        expect(admin.page.get_by_role("button", name="Add 2 users")).to_be_focused()
        keys.press("Enter")
        admin.shows("hub/admin?sort=-created")
        assert names(admin)[:2] == ["ola", "nina"]
        assert hub.ask("GET", "users/nina").json()["groups"] == ["team"]


def test_a_group_is_made_filled_emptied_and_deleted(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin/groups")
        admin.page.get_by_label("Name", exact=True).fill("fresh")
        admin.page.get_by_role("button", name="Make it").click()
        admin.shows("hub/admin/groups/fresh")
        box = admin.page.get_by_label("Names of users")
        box.fill("user-001 nobody-here")
        with admin.refused(400):
            admin.page.get_by_role("button", name="Add", exact=True).click()
            expect(admin.page.get_by_role("alert")).to_contain_text("No such user: nobody-here")
        expect(box).to_have_value("user-001 nobody-here")
        box.fill("user-001 user-002")
        admin.page.get_by_role("button", name="Add", exact=True).click()
        admin.page.get_by_label("user-001").check()
        admin.page.get_by_role("button", name="Take the ticked ones out").click()
        expect(admin.page.get_by_label("user-001")).to_have_count(0)
        expect(admin.page.get_by_label("user-002")).to_be_visible()
        admin.page.get_by_role("button", name="Delete fresh").click()
        admin.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        admin.shows("hub/admin/groups")
        assert hub.ask("GET", "groups/fresh").status_code == 404


def test_many_users_are_done_something_to_at_once_and_it_goes_on_over_a_restart(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin?search=user-1")
        admin.page.get_by_label("All that match the search").check()
        admin.page.get_by_label("Group", exact=True).select_option("team")
        admin.page.get_by_role("button", name="Add to the group").click()
        expect(admin.page.get_by_role("heading", name="Done: all 20")).to_be_visible()
        assert admin.barriers() == []
        members = hub.ask("GET", "groups/team").json()["users"]
        assert {f"user-{number}" for number in range(100, 120)} <= set(members)
        admin.go("hub/admin?search=user-1")
        admin.page.get_by_role("checkbox", name="user-100").check()
        admin.page.get_by_role("checkbox", name="user-101").check()
        admin.page.get_by_role("button", name="Delete …").click()
        expect(admin.page.get_by_role("heading", name="Delete 2 users?")).to_be_visible()
        admin.page.get_by_role("button", name="Delete", exact=True).click()
        expect(admin.page.get_by_role("heading", name="Done: all 2")).to_be_visible()
        assert hub.ask("GET", "users/user-100").status_code == 404
        admin.go("hub/admin?search=user-")
        admin.page.get_by_label("All that match the search").check()
        with admin.page.expect_response(lambda answer: answer.request.method == "POST"):
            admin.page.get_by_role("button", name="Stop their servers").click()
        hub.kill()
        hub.start()
        until(lambda: hub.server("user-001").get("stopped"), "its server is stopped after the restart")
        admin.page.reload()
        expect(admin.page.get_by_role("heading", name="Done: all 118")).to_be_visible()
        # The browser says in its console that it could not reach the hub while there was none.
        admin.complaints[:] = [words for words in admin.complaints if "Failed to load" not in words]


def test_many_servers_are_stopped_and_deleted_at_once(hub: RunningHub, browser: Browser) -> None:
    for name in ("one", "two", "three"):
        hub.ask("POST", f"users/ada/servers/{name}", json={})
    hub.ready("ada", "one")
    hub.ready("ada", "two")
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin/servers?search=ada")
        admin.page.get_by_label("ada/one").check()
        admin.page.get_by_role("button", name="Stop them").click()
        expect(admin.page.get_by_role("heading", name="Done: all 1")).to_be_visible()
        until(lambda: hub.server("ada", "one").get("stopped"), "it has stopped")
        assert hub.server("ada", "two")["ready"]
        admin.go("hub/admin/servers?search=ada")
        admin.page.get_by_label("All that match the search").check()
        admin.page.get_by_role("button", name="Delete …").click()
        expect(admin.page.get_by_role("heading", name="Delete 3 servers?")).to_be_visible()
        hub.ask("POST", "users/ada/servers/four", json={})
        admin.page.get_by_role("button", name="Delete", exact=True).click()
        expect(admin.page.get_by_role("alert")).to_contain_text("There are others now")
        expect(admin.page.get_by_role("heading", name="Delete 4 servers?")).to_be_visible()
        admin.page.get_by_role("button", name="Delete", exact=True).click()
        expect(admin.page.get_by_role("heading", name="Done: all 4")).to_be_visible()
    until(lambda: not any(hub.server("ada", name) for name in ("one", "two", "four")), "they are gone")


def test_services_of_the_settings_and_of_the_api_are_one_list_that_is_searched_sorted_and_paged(
    hub: RunningHub, browser: Browser
) -> None:
    made = [f"made-{number:02}" for number in range(55)]
    for name in made:
        assert hub.ask("POST", f"services/{name}", json={"url": "http://127.0.0.1:9"}).status_code == 201
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin/services")
        listed(admin, ["docs", *made[:49]], "tbody th")
        expect(admin.page.get_by_role("button", name="Delete docs")).to_have_count(0)
        admin.page.get_by_role("link", name="Next").click()
        listed(admin, made[49:], "tbody th")
        admin.page.get_by_role("link", name="Previous").click()
        admin.page.get_by_role("searchbox").fill("ADE-5")
        admin.page.get_by_role("button", name="Search").click()
        listed(admin, made[50:], "tbody th")
        admin.page.get_by_text("Sorted: Name").click()
        admin.page.get_by_role("link", name="Newest").click()
        listed(admin, made[:49:-1], "tbody th")

        with hub.client() as client:
            assert client.get("services/made-54/").status_code == 503, (
                "the edge knows where it is not running"
            )
            admin.page.get_by_role("button", name="Delete made-54").click()
            admin.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            admin.shows("hub/admin/services?search=ADE-5&sort=-created")
            listed(admin, made[53:49:-1], "tbody th")
            assert hub.ask("GET", "services/made-54").status_code == 404
            until(lambda: client.get("services/made-54/").status_code != 503, "its address is gone")


def test_groups_profiles_and_tokens_are_searched_and_sorted(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        heads = admin.page.locator("tbody th")
        for path, order, search, found in (
            ("groups", "Name, from Z", "EAM", ["team"]),
            ("profiles", "Name, from Z", "ello", ["Hello"]),
            ("tokens", "Oldest", "backup", ["ada"]),
        ):
            admin.go(f"hub/admin/{path}")
            shown = heads.all_inner_texts()
            assert shown
            admin.page.locator(".menu > summary").click()
            admin.page.get_by_role("link", name=order, exact=True).click()
            until(lambda shown=shown: heads.all_inner_texts() == shown[::-1], f"{path} are sorted")  # type: ignore[misc]
            admin.page.get_by_role("searchbox").fill(search)
            admin.page.get_by_role("button", name="Search").click()
            expect(heads).to_contain_text(found)


def test_a_profile_is_checked_while_one_types_and_kept_as_a_new_version(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as admin:
        admin.sign_in("admin")
        admin.go("hub/admin/new-profile")
        admin.page.get_by_label("Short name").fill("mine")
        text = admin.page.get_by_label("Definition")
        text.fill("comand: [sleep, '1']")
        expect(admin.page.locator("#verdict .bad")).to_contain_text("comand")
        text.fill("command: [sleep, '1']\nicon: map")
        expect(admin.page.locator("#verdict")).to_contain_text("sleep 1")
        admin.page.get_by_role("button", name="Make it").click()
        admin.shows("hub/admin/profiles/mine")
        admin.page.get_by_label("Open it to").fill("group:analysts")
        admin.page.get_by_role("button", name="Open", exact=True).click()
        expect(admin.page.get_by_role("button", name="Close group:analysts")).to_be_visible()
        admin.go("hub/admin/profiles/hello")
        expect(admin.page.get_by_text("The settings file declares this profile")).to_be_visible()
        expect(admin.page.get_by_label("Definition")).not_to_be_editable()


def test_who_holds_a_little_sees_just_that(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as kim:
        kim.sign_in("kim")
        kim.page.get_by_role("link", name="Administration").click()
        kim.shows("hub/admin/groups")
        listed(kim, ["team"])
        listed(kim, ["Groups"], ".tabs a")
        expect(kim.page.get_by_role("button", name="Make it")).to_have_count(0)
        with kim.refused(404):
            kim.go("hub/admin/groups/analysts")
        with kim.refused(403):
            kim.go("hub/admin/audit")
    with visiting(browser, hub) as max_:
        max_.sign_in("max")
        max_.page.get_by_role("link", name="Administration").click()
        max_.shows("hub/admin/audit")
        max_.page.get_by_label("What", exact=True).select_option("group")
        max_.page.get_by_role("button", name="Search").click()
        expect(max_.page.locator(".log li").first).to_contain_text("group.")
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        expect(ada.page.get_by_role("link", name="Administration")).to_have_count(0)
