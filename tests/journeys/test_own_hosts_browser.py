"""Apps on hosts of their own in a real browser: the way in, and what a neighbouring app can do to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import PATIENCE, Visitor, visiting
from guarding import start
from own_hosts import LOGIN, PASS, app_origin, hub_origin, with_hosts
from playwright.sync_api import Browser, Response, expect

from hubs import RunningHub, until

ECHOES = """
(address) => new Promise((resolve) => {
  const line = new WebSocket(address);
  line.onopen = () => line.send("hello");
  line.onmessage = (event) => resolve(event.data);
  line.onerror = () => resolve("refused");
})
"""
TOSSES = """
for (const name of ["apphub-pass", "__Host-apphub-pass", "apphub-entry", "jupyterhub-hub-login",
                    "__Host-jupyterhub-hub-login", "_xsrf", "__Host-_xsrf"])
  for (const path of ["/", "/hub", "/hub/", "/x"])
    for (const domain of ["apps.hosts.test", "hosts.test", "hub.hosts.test"])
      document.cookie = `${name}=tossed; Domain=${domain}; Path=${path}; Secure`;
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with with_hosts(tmp_path_factory.mktemp("tls")) as hub:
        for name in ("lab", "evil"):
            start(hub, "ada", name)
        yield hub


@pytest.fixture
def ada(hub: RunningHub, browser: Browser) -> Iterator[Visitor]:
    with visiting(browser, hub) as ada:
        ada.page.goto(f"{app_origin(hub, 'ada', 'lab')}/page?x=1")
        ada.sign_in("ada")
        expect(ada.page).to_have_url(f"{app_origin(hub, 'ada', 'lab')}/page?x=1", timeout=PATIENCE)
        yield ada


def opened(visitor: Visitor, address: str) -> Response:
    answer = visitor.page.goto(address)
    assert answer is not None
    return answer


def test_somebody_signs_in_from_an_apps_address_and_uses_it(hub: RunningHub, ada: Visitor) -> None:
    lab = app_origin(hub, "ada", "lab")
    expect(ada.page.locator("body")).to_contain_text('"path": "/page?x=1"')
    assert ada.page.evaluate(ECHOES, f"{lab.replace('https:', 'wss:')}/ws") == "hello"
    held = {cookie["name"]: cookie for cookie in ada.context.cookies()}
    assert held[PASS]["domain"] == lab.partition("://")[2].partition(":")[0]
    assert held[PASS]["httpOnly"]
    assert held[LOGIN]["domain"] == "hub.hosts.test"
    # The hub is a page of another origin to it.
    asks = (
        f"fetch('{hub_origin(hub)}/hub/api/user', {{credentials: 'include'}}).then(r => r.status, () => 'no')"
    )
    assert ada.page.evaluate(asks) == "no"


def test_a_neighbour_opens_nothing_with_a_visitors_cookies(hub: RunningHub, ada: Visitor) -> None:
    lab, evil = app_origin(hub, "ada", "lab"), app_origin(hub, "ada", "evil")
    assert opened(ada, f"{evil}/").status == 200
    assert ada.page.evaluate(ECHOES, f"{lab.replace('https:', 'wss:')}/ws") == "refused"
    seen: dict[str, int] = {}
    ada.page.on("response", lambda answer: seen.update({answer.url: answer.status}))
    asks = "([way, url]) => fetch(url, {credentials: 'include', mode: way}).then(() => 'told', () => 'no')"
    assert ada.page.evaluate(asks, ["cors", f"{lab}/read"]) == "no"
    ada.page.evaluate(asks, ["no-cors", f"{lab}/sent"])
    with ada.page.expect_response(f"{lab}/framed"):
        ada.page.evaluate(
            f"document.body.append(Object.assign(document.createElement('iframe'), {{src: '{lab}/framed'}}))"
        )
    with ada.page.expect_response(f"{lab}/posted"):
        ada.page.evaluate(
            "document.body.append(Object.assign(document.createElement('form'), "
            f"{{method: 'post', action: '{lab}/posted'}})), document.forms[0].submit()"
        )
    assert {url: status for url, status in seen.items() if url.startswith(lab) and "/read" not in url} == {
        f"{lab}/{path}": 403 for path in ("sent", "framed", "posted")
    }


def test_a_neighbour_may_link_to_it(hub: RunningHub, ada: Visitor) -> None:
    lab, evil = app_origin(hub, "ada", "lab"), app_origin(hub, "ada", "evil")
    opened(ada, f"{evil}/")
    with ada.page.expect_navigation() as navigation:
        ada.page.evaluate(f"location.href = '{lab}/linked'")
    assert navigation.value.status == 200
    assert '"path": "/linked"' in ada.page.content()


def test_cookies_that_a_neighbour_tosses_open_nothing_and_shut_nobody_out(
    hub: RunningHub, ada: Visitor
) -> None:
    lab, evil = app_origin(hub, "ada", "lab"), app_origin(hub, "ada", "evil")
    opened(ada, f"{evil}/")
    ada.page.evaluate(f"() => {{ {TOSSES} }}")
    tossed = [cookie for cookie in ada.context.cookies() if cookie["value"] == "tossed"]
    assert tossed, "nothing was tossed: this test tests nothing"
    assert not [cookie for cookie in tossed if cookie["name"].startswith("__Host-")]
    assert opened(ada, f"{lab}/x").status == 200
    assert '"x-forwarded-user", "ada"' in ada.page.content()
    assert "tossed" not in ada.page.content().replace("_xsrf=tossed", "")
    home = opened(ada, f"{hub_origin(hub)}/hub/home")
    assert home.status == 200
    assert ada.page.url.endswith("/hub/home")
    # Forms of the hub still count, and lead on to the app.
    ada.page.goto(f"{hub_origin(hub)}/hub/spawn/ada/fresh")
    ada.page.get_by_role("button", name="Start").click()
    expect(ada.page).to_have_url(f"{fresh(hub)}/", timeout=PATIENCE)
    expect(ada.page.locator("body")).to_contain_text('"x-forwarded-user", "ada"')


def fresh(hub: RunningHub) -> str:
    hub.ready("ada", "fresh")
    return app_origin(hub, "ada", "fresh")


def test_the_home_page_leads_to_the_own_host(hub: RunningHub, ada: Visitor) -> None:
    opened(ada, f"{hub_origin(hub)}/hub/home")
    ada.server("lab").get_by_role("link", name="Open").first.click()
    expect(ada.page).to_have_url(f"{app_origin(hub, 'ada', 'lab')}/", timeout=PATIENCE)


def test_the_address_to_copy_is_the_apps_own_while_it_runs_and_else_the_hubs(
    hub: RunningHub, browser: Browser
) -> None:
    start(hub, "ada", "brief")
    assert hub.ask("DELETE", "users/ada/servers/brief").status_code in (202, 204)
    until(lambda: hub.server("ada", "brief").get("stopped"), "it has stopped")
    own, plain = f"{app_origin(hub, 'ada', 'lab')}/", f"{hub_origin(hub)}/user/ada/brief/"
    for name, path in (("ada", "hub/home"), ("admin", "hub/admin/servers"), ("admin", "hub/admin/users/ada")):
        with visiting(browser, hub, permissions=["clipboard-read", "clipboard-write"]) as visitor:
            visitor.page.goto(f"{hub_origin(hub)}/hub/login")
            visitor.sign_in(name)
            visitor.page.goto(f"{hub_origin(hub)}/{path}")
            for server, address in (("lab", own), ("brief", plain)):
                row = visitor.page.locator(f'[data-server="ada/{server}"]')
                row.locator(".menu > summary").click()
                row.get_by_role("button", name="Copy the address").click()
                expect(row.get_by_role("button", name="Copied")).to_be_visible()
                assert visitor.page.evaluate("navigator.clipboard.readText()") == address
                visitor.page.keyboard.press("Escape")
