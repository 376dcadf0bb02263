"""Who may start what: the groups of a profile hold for every door, for every starter, and at once.

The gate asks about the person the server is for, not about the one who presses the button:
an administrator cannot hand somebody an app that their groups do not open to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hubs import TRIAL, RunningHub, until

RESTRICTED = {"profile": "restricted"}


@pytest.fixture(scope="module")
def gated_hub() -> Iterator[RunningHub]:
    profiles = [
        {"slug": "open", "display_name": "Open", "kind": "hello", "groups": "everyone", "default": True},
        {"slug": "restricted", "display_name": "Restricted", "kind": "hello", "groups": ["analysts"]},
    ]
    sharing = {"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]}
    groups = {"analysts": {}}
    with RunningHub({**TRIAL, "groups": groups, "profiles": profiles, "roles": [sharing]}) as hub:
        yield hub


class Visitor:
    """Somebody who has signed in once, with a browser and with a program, and never again."""

    def __init__(self, hub: RunningHub, name: str, browser: httpx.Client) -> None:
        self.hub, self.name, self.browser = hub, name, browser
        self.token = hub.token_for(name)

    def start(self, user: str | None = None, body: object = RESTRICTED) -> httpx.Response:
        """Ask for the restricted profile by the API."""
        path = f"users/{user or self.name}/servers/lab"
        return self.hub.ask("POST", path, token=self.token, json=body)

    def press(self, user: str | None = None) -> httpx.Response:
        """Send the form of the start page."""
        return self.hub.post_form(self.browser, f"hub/spawn/{user or self.name}/lab", **RESTRICTED)

    def stop(self) -> None:
        """Stop the server and wait until it has."""
        assert self.hub.ask("DELETE", f"users/{self.name}/servers/lab").status_code in (202, 204)
        until(
            lambda: (
                self.hub.server(self.name, "lab").get("stopped", True)
                and self.hub.server(self.name, "lab").get("pending") is None
            ),
            "stopped",
        )


@pytest.fixture
def ada(gated_hub: RunningHub) -> Iterator[Visitor]:
    with gated_hub.sign_in("ada") as browser:
        yield Visitor(gated_hub, "ada", browser)
    gated_hub.ask("DELETE", "users/ada")


@pytest.fixture
def root(gated_hub: RunningHub) -> Iterator[Visitor]:
    with gated_hub.sign_in("admin") as browser:
        yield Visitor(gated_hub, "admin", browser)


def membership(hub: RunningHub, method: str) -> None:
    answer = hub.ask(method, "groups/analysts/users", json={"users": ["ada"]})
    assert answer.status_code == 200, answer.text


def assert_closed(answer: httpx.Response) -> None:
    assert answer.status_code == 403, answer.text
    assert "analysts" in answer.text  # says who may, so that one knows whom to ask


def test_somebody_outside_the_groups_of_a_profile_cannot_start_it_by_any_door(ada: Visitor) -> None:
    assert_closed(ada.start())
    assert_closed(ada.press())
    assert ada.hub.server("ada", "lab") == {}  # nothing half done
    offered = ada.hub.ask("GET", "profiles", token=ada.token).text
    assert '"open"' in offered
    assert "restricted" not in offered
    assert "Restricted" not in ada.browser.get("hub/spawn/ada").text


def test_the_structured_form_of_a_start_meets_the_same_gate(ada: Visitor) -> None:
    assert_closed(ada.start(body={"user_options": RESTRICTED}))
    assert ada.hub.server("ada", "lab") == {}


def test_an_administrator_cannot_start_it_for_somebody_outside_the_groups(
    ada: Visitor, root: Visitor
) -> None:
    assert_closed(root.start("ada"))
    assert_closed(root.press("ada"))
    assert ada.hub.server("ada", "lab") == {}


def test_the_gate_follows_the_group_at_once_without_a_new_sign_in(ada: Visitor) -> None:
    assert_closed(ada.press())

    membership(ada.hub, "POST")
    started = ada.start()
    assert started.status_code in (201, 202), started.text
    ada.hub.ready("ada", "lab")
    ada.stop()
    pressed = ada.press()
    assert pressed.status_code == 302, pressed.text
    assert pressed.headers["location"] == "/hub/spawn-pending/ada/lab"
    ada.hub.ready("ada", "lab")
    ada.stop()

    membership(ada.hub, "DELETE")
    assert_closed(ada.start())
    assert_closed(ada.press())
    assert ada.hub.server("ada", "lab")["user_options"] == RESTRICTED


def test_what_was_last_started_is_no_way_around_the_gate(ada: Visitor, root: Visitor) -> None:
    membership(ada.hub, "POST")
    assert ada.start().status_code in (201, 202)
    ada.hub.ready("ada", "lab")
    ada.stop()
    membership(ada.hub, "DELETE")

    # A start that names nothing means the last choice; "start again" on the home page is such a start.
    again = ada.hub.ask("POST", "users/ada/servers/lab", token=ada.token)
    assert_closed(again)
    assert_closed(ada.hub.post_form(ada.browser, "hub/start/ada/lab"))
    assert_closed(root.hub.post_form(root.browser, "hub/start/ada/lab"))
    assert not ada.hub.server("ada", "lab")["ready"]


def test_nobody_starts_a_server_of_somebody_else(ada: Visitor) -> None:
    ada.hub.ask("POST", "users/bob")
    by_api = ada.start("bob", body={"profile": "open"})
    assert by_api.status_code in (403, 404), by_api.text
    by_page = ada.hub.post_form(ada.browser, "hub/spawn/bob/lab", profile="open")
    assert by_page.status_code in (403, 404), by_page.text
    assert ada.hub.server("bob", "lab") == {}


def test_a_page_that_lacks_the_visitors_value_starts_nothing(ada: Visitor) -> None:
    forged = ada.browser.post("hub/spawn/ada/lab", data={"profile": "open"})
    assert forged.status_code == 403
    foreign = ada.browser.post(
        "hub/spawn/ada/lab",
        data={"profile": "open", "_xsrf": ada.browser.cookies["_xsrf"]},
        headers={"origin": "https://elsewhere.example"},
    )
    assert foreign.status_code == 403
    assert ada.hub.server("ada", "lab") == {}


def test_what_its_owner_may_no_longer_start_is_shared_by_no_door(ada: Visitor, root: Visitor) -> None:
    membership(ada.hub, "POST")
    assert ada.start().status_code in (201, 202)
    ada.hub.ready("ada", "lab")
    code = ada.hub.ask("POST", "share-codes/ada/lab", token=ada.token, json={}).json()["code"]
    membership(ada.hub, "DELETE")

    for token in (ada.token, root.token):
        for body in ({"user": "bob"}, {"user": "bob", "level": "view"}, {"group": "analysts"}):
            assert_closed(ada.hub.ask("POST", "shares/ada/lab", token=token, json=body))
        assert_closed(ada.hub.ask("POST", "share-codes/ada/lab", token=token, json={"expires_in": 60}))
    for visitor in (ada, root):
        fields = {"name": "bob", "kind": "user", "level": "use", "life": ""}
        assert_closed(visitor.hub.post_form(visitor.browser, "hub/share/ada/lab", **fields))
        fields = {"level": "use", "life": "3600"}
        assert_closed(visitor.hub.post_form(visitor.browser, "hub/share-link/ada/lab", **fields))
    with ada.hub.sign_in("bob") as browser:
        assert_closed(browser.get("hub/accept-share", params={"code": code}))
        assert_closed(ada.hub.post_form(browser, "hub/accept-share", code=code))
    assert ada.hub.ask("GET", "shares/ada/lab").json()["items"] == []
