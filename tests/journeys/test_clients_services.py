"""Services built with JupyterHub's own library, unmodified: HubOAuth for people, HubAuth for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clients
import httpx
import pytest
from browsing import Visitor, visiting
from playwright.sync_api import Browser, expect

from hubs import RunningHub, free_port, until

PROGRAM = str(Path(__file__).with_name("whoami_service.py"))


def whoami(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """A declared service of the program."""
    command = [clients.python(), PROGRAM, kind]
    return {"name": name, "command": command, "url": f"http://127.0.0.1:{free_port()}", **more}


@pytest.fixture(scope="module", params=["/", "/apps/"])
def hub(request: pytest.FixtureRequest) -> Iterator[RunningHub]:
    """Ada and cleo may use the services; bob may not."""
    config = clients.trial(
        base_url=request.param,
        services=[
            whoami("whoami", "oauth", oauth_client_allowed_scopes=["read:users!user"]),
            whoami("trusted", "oauth", oauth_no_confirm=True),
            whoami("machine", "token"),
        ],
        roles=[
            {
                "name": "visitors",
                "scopes": [f"access:services!service={name}" for name in ("whoami", "trusted", "machine")],
                "users": ["ada", "cleo"],
            }
        ],
    )
    with RunningHub(config) as hub:
        for name in ("whoami", "trusted", "machine"):
            until(lambda name=name: listens(hub, name), f"the service {name} listens")
        yield hub


def listens(hub: RunningHub, name: str) -> bool:
    """Whether the service itself answers, with whatever."""
    with hub.client() as client:
        return "TornadoServer" in client.get(f"services/{name}/").headers.get("server", "")


def says(visitor: Visitor, text: str) -> None:
    """Wait until the page holds this."""
    expect(visitor.page.locator("body")).to_contain_text(text)


def test_a_person_is_asked_once_and_then_known_to_the_service(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.go("services/whoami/")
        ada.shows("hub/login*")
        ada.sign_in("ada")
        ada.shows("hub/api/oauth2/authorize*")
        says(ada, "JupyterHub service whoami")
        says(ada, "read:users!user")
        ada.page.get_by_role("button", name="Allow").click()
        ada.shows("services/whoami/")
        says(ada, '"name": "ada"')
        says(ada, '"read:users:name!user=ada"')
        ada.context.clear_cookies(name="service-whoami")
        ada.go("services/whoami/")
        ada.shows("services/whoami/")
        says(ada, '"name": "ada"')


def test_who_does_not_allow_it_is_not_known_to_the_service(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as cleo:
        cleo.sign_in("cleo")
        cleo.shows("hub/home")
        cleo.go("services/whoami/")
        cleo.shows("hub/api/oauth2/authorize*")
        with cleo.refused(400):
            cleo.page.get_by_role("link", name="Cancel").click()
            cleo.shows("services/whoami/oauth_callback*")
        assert "cleo" not in cleo.page.locator("body").inner_text()


def test_a_trusted_service_asks_nobody(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.go("services/trusted/")
        ada.shows("services/trusted/")
        says(ada, '"name": "ada"')


def test_signing_out_of_the_hub_ends_access_to_the_service(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.go("services/trusted/")
        says(ada, '"name": "ada"')
        held = {cookie["name"]: cookie for cookie in ada.context.cookies()}
        ada.go("hub/logout")
        ada.shows("hub/login")
        # With the service's own cookie still there, even kept by a thief.
        ada.context.add_cookies([held["service-trusted"]])  # type: ignore[list-item]
        ada.page.wait_for_timeout(1500)
        ada.go("services/trusted/")
        ada.shows("hub/login*")


def test_who_may_not_use_a_service_is_told_so(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        bob.shows("hub/home")
        with bob.refused(403):
            bob.go("services/whoami/")
            bob.shows("hub/api/oauth2/authorize*")
            says(bob, "You do not have access to JupyterHub service whoami")


def test_the_home_page_lists_the_services_that_one_may_use(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada, visiting(browser, hub) as bob:
        for visitor, name, count in ((ada, "ada", 1), (bob, "bob", 0)):
            visitor.sign_in(name)
            visitor.shows("hub/home")
            link = visitor.page.locator(f'a[href="{hub.base_url}services/whoami/"]')
            expect(link).to_have_count(count)


def call(hub: RunningHub, token: str | None) -> httpx.Response:
    """Ask the service for programs."""
    with hub.client(token) as client:
        return client.get("services/machine/")


def test_a_program_shows_the_service_its_token(hub: RunningHub) -> None:
    token = hub.token_for("ada")
    assert call(hub, token).json()["name"] == "ada"
    assert call(hub, hub.token).json()["name"] == "admin"  # who may use all services
    assert call(hub, hub.token_for("bob")).status_code == 403
    assert call(hub, "no-token-of-this-hub").status_code == 403
    assert call(hub, None).status_code == 403


def test_a_token_needs_the_scope_of_the_service_and_its_end_is_noticed(hub: RunningHub) -> None:
    def made(*scopes: str) -> dict[str, Any]:
        answer = hub.ask(
            "POST", "users/ada/tokens", token=hub.token_for("ada"), json={"scopes": list(scopes)}
        )
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert call(hub, made("read:users!user")["token"]).status_code == 403
    fit = made("access:services!service=machine")
    assert call(hub, fit["token"]).json()["name"] == "ada"
    assert hub.ask("DELETE", f"users/ada/tokens/{fit['id']}").status_code == 204
    until(lambda: call(hub, fit["token"]).status_code == 403, "the revoked token is refused", within=10)


def test_a_service_may_show_its_token_to_another(hub: RunningHub) -> None:
    answer = hub.ask(
        "POST",
        "services/caller",
        json={"api_token": "a-token-of-a-caller-0123456789", "admin": True},
    )
    assert answer.status_code == 201
    answer = call(hub, "a-token-of-a-caller-0123456789")
    assert (answer.json()["kind"], answer.json()["name"]) == ("service", "caller")
    assert hub.ask("DELETE", "services/caller").status_code == 200
