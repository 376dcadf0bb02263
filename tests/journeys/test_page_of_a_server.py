"""The page of a server tells its owner who opened it and who did what to it, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import Visitor, visiting
from guarding import echoing, let_in, share, start
from playwright.sync_api import Browser, Locator, expect

from hubs import RunningHub, until

LAB = "/user/ada/lab/"
PAGE = "hub/server/ada/lab"
READERS = {"name": "readers", "scopes": ["read:servers!user=ada"], "users": ["rita"]}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    with RunningHub({**echoing(), "roles": [READERS]}) as hub:
        start(hub, "ada", "lab")
        for name in ("eve", "rita"):
            hub.token_for(name)
        share(hub, "ada", "lab", {"user": "eve"})
        for name in ("eve", "admin"):
            with hub.sign_in(name) as visitor:
                let_in(visitor, LAB)
        yield hub


@pytest.fixture
def ada(hub: RunningHub, browser: Browser) -> Iterator[Visitor]:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.go(PAGE)
        yield ada


def section(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("region", name=title)


def test_the_owner_learns_who_opened_it_administrators_included(ada: Visitor) -> None:
    lines = section(ada, "Who opened it").get_by_role("listitem")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("admin")
    expect(lines.nth(1)).to_contain_text("eve")
    assert ada.barriers() == []


def test_an_administrator_and_the_one_who_may_only_look_at_it(hub: RunningHub) -> None:
    with hub.sign_in("admin") as admin:
        assert "Who opened it" in admin.get(PAGE).text
    with hub.sign_in("rita") as rita:
        shown = rita.get(PAGE)
        assert shown.status_code == 200
        for secret in ("Who opened it", "<span>eve</span>", "<span>admin</span>", "by ada"):
            assert secret not in shown.text


def test_a_guest_and_a_stranger_get_no_such_page(hub: RunningHub) -> None:
    for name in ("eve", "mallory"):
        with hub.sign_in(name) as stranger:
            answer = stranger.get(PAGE)
            assert answer.status_code in (403, 404)
            assert "Who opened it" not in answer.text
    with hub.client() as nobody:
        assert nobody.get(PAGE).status_code == 302


def test_what_happened_says_who_did_it(hub: RunningHub, ada: Visitor) -> None:
    story = section(ada, "What happened").get_by_role("listitem")
    expect(story.filter(has_text="Server requested").filter(has_text="by ada")).to_have_count(1)
    expect(story.filter(has_text="Server requested")).to_have_count(1)
    ada.page.get_by_role("button", name="Restart").click()
    ada.shows(PAGE)
    expect(story.filter(has_text="Restart requested").filter(has_text="by ada")).to_have_count(1)
    assert hub.ask("DELETE", "users/ada/servers/lab").status_code in (202, 204)
    until(lambda: hub.server("ada", "lab").get("stopped"), "it has stopped")
    ada.page.reload()
    expect(story.filter(has_text="Stop requested").filter(has_text="by admin")).to_have_count(1)


def test_the_same_in_italian(hub: RunningHub) -> None:
    with hub.sign_in("ada") as ada:
        page = ada.get(PAGE, headers={"accept-language": "it"}).text
    for words in ("Chi lo ha aperto", "amministratori compresi", "da ada"):
        assert words in page
