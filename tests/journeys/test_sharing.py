"""The dialog on the home page that shares an app: with whom, to do what, for how long, and not with others."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from browsing import Visitor, visiting
from guarding import WebSocket, cookie, echoing, let_in, pass_of, start
from playwright.sync_api import Browser, Locator, expect

from hubs import RunningHub

LAB = "/user/ada/lab/"
SHARERS = {
    "name": "sharers",
    "scopes": ["shares!user", "read:users:name", "read:groups:name"],
    "users": ["ada"],
}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    groups = {"team": {"members": ["carl"]}}
    with RunningHub({**echoing(), "roles": [SHARERS], "groups": groups}) as hub:
        start(hub, "ada", "lab")
        for name in ("bob", "carl"):
            hub.token_for(name)
        yield hub


@pytest.fixture
def ada(hub: RunningHub, browser: Browser) -> Iterator[Visitor]:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        yield ada


def opened(ada: Visitor) -> Locator:
    """The dialog of her server."""
    ada.home()
    ada.server("lab").get_by_role("button", name="Share lab").click()
    dialog = ada.page.get_by_role("dialog", name="Share “lab”")
    expect(dialog).to_be_visible()
    return dialog


def give(ada: Visitor, name: str, *, kind: str = "user", level: str = "use", life: str = "604800") -> None:
    dialog = opened(ada)
    dialog.get_by_label("With").select_option(kind)
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("They may").select_option(level)
    dialog.get_by_label("For", exact=True).select_option(life)
    dialog.get_by_role("button", name="Share").click()


def take(ada: Visitor, name: str) -> None:
    opened(ada).get_by_role("button", name=f"End {name}").click()
    expect(ada.page.get_by_role("heading", name="Hello, ada")).to_be_visible()


def told(hub: RunningHub) -> list[dict[str, object]]:
    answer = hub.ask("GET", "shares/ada/lab?own_keys=1")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found


def test_somebody_it_is_shared_with_uses_it_and_is_out_within_two_seconds_of_the_end(
    hub: RunningHub, ada: Visitor
) -> None:
    with hub.sign_in("bob") as bob:
        assert bob.get(LAB, headers={"accept": "text/html"}, follow_redirects=True).status_code == 403
        give(ada, "bob", life="86400")
        [share] = told(hub)
        assert (share["kind"], share["level"]) == ("user", "use")
        assert isinstance(share["expires_at"], str)
        expect(opened(ada)).to_contain_text("may use it, until")
        assert "Shared with me" in bob.get("hub/home").text
        assert let_in(bob, LAB).json()["path"] == LAB
        with WebSocket(hub, f"{LAB}ws", cookie(pass_of(bob, LAB))) as line:
            assert line.opened == 101
            assert line.ask("hello") == "hello"
        take(ada, "bob")
        end = time.monotonic() + 2
        while bob.get(LAB, headers={"accept": "application/json"}).status_code == 200:
            assert time.monotonic() < end, "still in after two seconds"
            time.sleep(0.05)
        assert told(hub) == []


def test_to_see_is_not_to_use(hub: RunningHub, ada: Visitor) -> None:
    token = hub.token_for("bob")
    with hub.sign_in("bob") as bob:
        give(ada, "bob", level="view", life="")
        [share] = told(hub)
        assert (share["level"], share["expires_at"]) == ("view", None)
        home = bob.get("hub/home").text
        assert 'data-server="ada/lab"' in home  # it is there, with how it is …
        assert 'data-state="ready"' in home
        assert f'href="{LAB}' not in home  # … and no way in
        assert hub.ask("GET", "users/ada/servers/lab", token=token).json()["ready"] is True
        assert bob.get(LAB, headers={"accept": "text/html"}, follow_redirects=True).status_code == 403
        assert hub.ask("DELETE", "users/ada/servers/lab", token=token).status_code in (403, 404)
        with WebSocket(hub, f"{LAB}ws", {"authorization": f"token {token}"}) as line:
            assert line.opened in (401, 403)
        # What is chosen later is instead of what was chosen before, in both directions.
        give(ada, "bob", level="use")
        let_in(bob, LAB)
        give(ada, "bob", level="view")
        end = time.monotonic() + 2
        while bob.get(LAB, headers={"accept": "application/json"}).status_code == 200:
            assert time.monotonic() < end, "still in after two seconds"
            time.sleep(0.05)
        take(ada, "bob")


def test_a_link_lets_in_whoever_opens_it_in_time_and_can_be_ended(
    hub: RunningHub, ada: Visitor, browser: Browser
) -> None:
    dialog = opened(ada)
    dialog.get_by_label("to be opened for").select_option("3600")
    dialog.get_by_role("button", name="Make a link").click()
    address = ada.page.get_by_label("Link", exact=True).input_value()
    assert address.startswith(f"{hub.url}hub/accept-share?code=")
    assert ada.barriers() == []
    [code] = hub.ask("GET", "share-codes/ada/lab").json()["items"]
    assert code["expires_at"] is not None
    with visiting(browser, hub) as bob:
        bob.page.goto(address)
        bob.sign_in("bob")
        bob.page.get_by_role("button", name="Accept").click()
        bob.shows("user/ada/lab/*")
    expect(opened(ada)).to_contain_text("lets in whoever opens it, until")
    take(ada, "A link")
    with visiting(browser, hub) as carl, carl.refused(404):
        carl.page.goto(address)
        carl.sign_in("carl")
        expect(carl.page.get_by_text("not valid")).to_be_visible()
    take(ada, "bob")  # who has come in by it stays until that is ended
    assert told(hub) == []
    with hub.sign_in("ada") as client:
        client.get("hub/home")
        for fields in (
            {"level": "use", "life": ""},
            {"level": "use", "life": "1"},
            {"level": "own", "life": "3600"},
        ):
            assert hub.post_form(client, "hub/share-link/ada/lab", **fields).status_code == 400
        # What has ended, or is another server's, is no code of this one.
        assert hub.post_form(client, "hub/unshare/ada/lab", kind="link", name="sc_999").status_code == 302
    assert hub.ask("GET", "share-codes/ada/lab").json()["items"] == []


def test_a_group_is_shared_with_by_name(hub: RunningHub, ada: Visitor) -> None:
    give(ada, "team", kind="group")
    expect(opened(ada)).to_contain_text("team (group)")
    assert ada.barriers() == []
    with hub.sign_in("carl") as carl:
        let_in(carl, LAB)
    with hub.sign_in("bob") as bob:
        assert bob.get(LAB, headers={"accept": "text/html"}, follow_redirects=True).status_code == 403
    take(ada, "team")


def test_what_cannot_be_shared_is_told_in_words_and_changes_nothing(hub: RunningHub, ada: Visitor) -> None:
    with ada.refused(400):
        give(ada, "nobody")
        expect(ada.page.get_by_text("No such user: nobody")).to_be_visible()
    with hub.sign_in("ada") as browser:
        browser.get("hub/home")
        for fields in (
            {"name": "", "level": "use", "life": ""},
            {"name": "bob", "level": "own", "life": ""},
            {"name": "bob", "level": "use", "life": "1"},
        ):
            assert hub.post_form(browser, "hub/share/ada/lab", **fields).status_code == 400
        assert browser.post("hub/share/ada/lab", data={"name": "bob", "level": "use"}).status_code == 403
    assert told(hub) == []


def test_who_may_not_share_is_shown_no_dialog_and_let_through_by_no_address(hub: RunningHub) -> None:
    start(hub, "bob", "own")
    with hub.sign_in("bob") as bob:
        assert "Share" not in bob.get("hub/home").text.replace("Shared with me", "")
        shut = ("hub/share/bob/own", "hub/share/ada/lab", "hub/share-link/ada/lab", "hub/unshare/ada/lab")
        for path in (*shut, "hub/share-link/bob/own"):
            fields = {"name": "carl", "level": "use", "life": "3600"}
            assert hub.post_form(bob, path, **fields).status_code == 403


def test_the_api_knows_the_same_levels(hub: RunningHub) -> None:
    made = hub.ask("POST", "shares/ada/lab", json={"user": "bob", "level": "use", "expires_in": 600})
    assert sorted(made.json()["scopes"]) == ["access:servers!server=ada/lab", "read:servers!server=ada/lab"]
    assert "level" not in made.json()  # JupyterHub's clients are told what they know
    less = hub.ask("POST", "shares/ada/lab?own_keys=1", json={"user": "bob", "level": "view"}).json()
    assert (less["scopes"], less["level"], less["expires_at"]) == (
        ["read:servers!server=ada/lab"],
        "view",
        None,
    )
    for body in ({"level": "own"}, {"level": 1}, {"level": "use", "scopes": ["access:servers"]}):
        assert hub.ask("POST", "shares/ada/lab", json={"user": "bob", **body}).status_code == 400
    hub.ask("PATCH", "shares/ada/lab", json={"user": "bob"})
