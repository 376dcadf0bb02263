"""An app of jupyterhub-singleuser, unmodified, opened to a second person and closed again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

import lab
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from hubs import RunningHub


@pytest.fixture(scope="module")
def hub(jupyterlab: str) -> Iterator[RunningHub]:
    """Ada may share her servers, and her JupyterLab runs, with and without a name.

    Not the name `lab`: as with JupyterHub, it would take `/user/ada/lab` from the default server.
    """
    config = lab.offering(jupyterlab)
    config["profiles"][0] |= {"groups": "everyone", "default": True}
    config["groups"]["readers"] = {"members": ["dora"]}
    config["roles"] = [
        {
            "name": "sharers",
            "scopes": ["shares!user", "read:users:name", "read:groups:name"],
            "users": ["ada"],
        }
    ]
    with RunningHub(config) as hub:
        for name in ("bob", "cleo", "dora", "eve"):
            hub.token_for(name)
        for path in ("server", "servers/study"):
            assert hub.ask("POST", f"users/ada/{path}").status_code in (201, 202)
        hub.ready("ada", within=120)
        hub.ready("ada", "study", within=120)
        yield hub


def share(hub: RunningHub, method: str, server: str, **body: Any) -> Any:
    """Ask about a share of ada's, as ada."""
    answer = hub.ask(method, f"shares/ada/{server}", token=hub.token_for("ada"), json=body or None)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else None


def come_in(visitor: Visitor, path: str) -> None:
    """Come to the app and allow it to know who comes."""
    visitor.go(path)
    visitor.shows("hub/api/oauth2/authorize*")
    visitor.page.get_by_role("button", name="Allow").click()
    visitor.shows(f"{path}lab*")


def compute(visitor: Visitor, path: str) -> None:
    """Run a cell, in a workspace of one's own: what others have open there would open here too."""
    visitor.go(f"{path}lab/workspaces/{secrets.token_hex(4)}")
    lab.Notebook(visitor.page).check("import os; os.environ['JUPYTERHUB_USER']", "'ada'")


def scopes(hub: RunningHub, token: str) -> list[str]:
    """What a token can do, as apps ask for it."""
    answer = hub.ask("GET", "user", token=token)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["scopes"]
    return found


def refused(visitor: Visitor, path: str) -> None:
    """See that there is no way in."""
    with visitor.refused(403):
        visitor.go(path)
        expect(visitor.page.locator("body")).to_contain_text("You do not have access to")


@pytest.mark.parametrize("server", ["", "study"])
def test_a_guest_works_in_a_shared_app_until_it_is_taken_back(
    hub: RunningHub, browser: Browser, server: str
) -> None:
    path, scope = f"user/ada/{server}/" if server else "user/ada/", f"access:servers!server=ada/{server}"
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        bob.shows("hub/home")
        refused(bob, path)
        assert share(hub, "POST", server, user="bob")["scopes"] == [scope]
        come_in(bob, path)
        compute(bob, path)
        bob.home()
        expect(bob.page.locator(f'a[href="{hub.base_url}{path}"]').first).to_be_visible()

        token = hub.token_for("bob")
        assert scope in scopes(hub, token)
        share(hub, "PATCH", server, user="bob")
        assert scope not in scopes(hub, token)
        # An app remembers for minutes what the hub has told it; who comes anew is asked about anew.
        bob.context.clear_cookies(name=re.compile("^jupyterhub-user-"))
        refused(bob, path)


def test_a_token_for_a_shared_app_is_worth_nothing_at_the_hub_once_the_share_ends(hub: RunningHub) -> None:
    scope = "access:servers!server=ada/study"
    share(hub, "POST", "study", user="eve")
    made = hub.ask("POST", "users/eve/tokens", token=hub.token_for("eve"), json={"scopes": [scope]})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    assert scope in scopes(hub, token)
    with hub.client(token) as client:
        assert client.get("user/ada/study/api/status").status_code == 200
        assert client.get("user/ada/api/status").status_code == 403
    share(hub, "DELETE", "study")
    assert scope not in scopes(hub, token)


def test_a_code_is_accepted_in_the_browser(hub: RunningHub, browser: Browser) -> None:
    made = hub.ask("POST", "share-codes/ada/study", token=hub.token_for("ada"), json={})
    assert made.status_code == 200, made.text
    with visiting(browser, hub) as cleo:
        cleo.sign_in("cleo")
        cleo.shows("hub/home")
        refused(cleo, "user/ada/study/")
        cleo.page.goto(f"{hub.origin}{made.json()['accept_url']}")
        expect(cleo.page.get_by_role("heading", level=1)).to_contain_text(
            "ada shares the server “study” with you"
        )
        cleo.page.get_by_role("button", name="Accept").click()
        cleo.shows("hub/api/oauth2/authorize*")
        cleo.page.get_by_role("button", name="Allow").click()
        cleo.shows("user/ada/study/lab*")
        compute(cleo, "user/ada/study/")
    shared = hub.ask("GET", "users/cleo/shared", token=hub.token_for("cleo")).json()["items"]
    assert [one["server"]["name"] for one in shared] == ["study"]


def test_a_share_with_a_group_holds_for_whoever_is_in_it(hub: RunningHub, browser: Browser) -> None:
    scope = "access:servers!server=ada/study"
    share(hub, "POST", "study", group="readers")
    with visiting(browser, hub) as dora, visiting(browser, hub) as eve:
        for visitor, name in ((dora, "dora"), (eve, "eve")):
            visitor.sign_in(name)
            visitor.shows("hub/home")
        refused(eve, "user/ada/study/")
        come_in(dora, "user/ada/study/")
        compute(dora, "user/ada/study/")
        assert hub.ask("POST", "groups/readers/users", json={"users": ["eve"]}).status_code == 200
        come_in(eve, "user/ada/study/")
    assert scope in scopes(hub, hub.token_for("dora"))
    share(hub, "PATCH", "study", group="readers")
    for name in ("dora", "eve"):
        assert scope not in scopes(hub, hub.token_for(name))


def test_who_may_not_share_cannot(hub: RunningHub) -> None:
    token = hub.token_for("bob")
    assert hub.ask("POST", "users/bob/servers/mine", token=token).status_code in (201, 202)
    answer = hub.ask("POST", "shares/bob/mine", token=token, json={"user": "cleo"})
    assert answer.status_code == 403
    answer = hub.ask("DELETE", "users/bob/servers/mine", token=token, json={"remove": True})
    assert answer.status_code in (202, 204)


def test_signing_out_ends_the_owners_access_to_the_app(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.go("user/ada/study/")
        ada.shows("user/ada/study/lab*")
        ada.go("user/ada/study/logout")
        ada.shows("hub/login*")
        ada.go("user/ada/study/")
        ada.shows("hub/login*")
