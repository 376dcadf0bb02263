"""Apps on hosts of their own: how one gets in, what is where, and what happens when it stops."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from guarding import echoing, part, questions, share, start, told
from own_hosts import (
    DOMAIN,
    ENTRY,
    PASS,
    app_origin,
    ask,
    browser,
    held,
    hub_origin,
    sign_in,
    socket_at,
    visiting,
    with_hosts,
)

from hubs import RunningHub, until


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with with_hosts(tmp_path_factory.mktemp("tls")) as hub:
        start(hub, "ada", "lab")
        start(hub, "ada")
        start(hub, "bob", "lab")
        yield hub


@pytest.fixture(scope="module")
def lab(hub: RunningHub) -> str:
    return app_origin(hub, "ada", "lab")


@pytest.fixture(scope="module")
def ada(hub: RunningHub, lab: str) -> Iterator[httpx.Client]:
    with visiting(hub, "ada", f"{lab}/") as client:
        yield client


def test_the_api_tells_the_apps_own_address_and_keeps_the_path(hub: RunningHub, lab: str) -> None:
    assert re.fullmatch(rf"https://lab-ada-[0-9]+\.{re.escape(DOMAIN)}:{hub.address.port}", lab)
    assert hub.server("ada", "lab")["url"] == "/user/ada/lab/"
    assert re.fullmatch(rf"https://ada-[0-9]+\.{re.escape(DOMAIN)}:[0-9]+", app_origin(hub, "ada"))


def test_somebody_signed_out_signs_in_and_is_back_at_the_same_address(hub: RunningHub, lab: str) -> None:
    goal = f"{lab}/user/some%2Fpage/?x=1&y=a%2Fb&next=//elsewhere.test"
    with browser() as client:
        page = client.get(goal, follow_redirects=True)
        assert str(page.url).startswith(f"{hub_origin(hub)}/hub/login?")
        answer = sign_in(client, page, "ada")
        assert str(answer.url) == goal
        assert answer.json()["path"] == goal.removeprefix(lab)
        names = {one.name: one for one in client.cookies.jar}
        assert names[PASS].path == "/"
        assert names[PASS].secure
        assert names[PASS].domain == lab.removeprefix("https://").partition(":")[0]
        assert ENTRY not in names


def test_the_app_learns_who_visits_at_its_own_address_and_sees_no_cookie_of_ours(
    ada: httpx.Client, lab: str
) -> None:
    answer = ada.get(
        f"{lab}/deep/er?q=1", headers={"cookie": f"mine=2; {PASS}={held(ada, lab)}; apphub-pass=x"}
    )
    headers = told(answer)
    assert answer.json()["path"] == "/deep/er?q=1"
    assert headers["x-forwarded-user"] == ["ada"]
    assert headers["cookie"] == ["mine=2"]
    identity = part(headers["x-apphub-identity"][0], 1)
    assert identity["sub"] == "ada"
    assert identity["aud"] == f"{lab}/"
    assert headers["host"] == [lab.removeprefix("https://")]


def test_visits_with_a_pass_cost_the_hub_no_question(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    before = questions(hub)
    for _ in range(5):
        assert ada.get(f"{lab}/x").status_code == 200
    assert questions(hub) == before


def test_a_token_opens_what_its_owner_may_and_never_reaches_the_app(hub: RunningHub, lab: str) -> None:
    answer = ask(lab, "/x", authorization=f"token {hub.token_for('ada')}", sec_fetch_site="same-site")
    assert told(answer)["x-forwarded-user"] == ["ada"]
    assert "authorization" not in told(answer)
    assert ask(lab, "/x", authorization=f"token {hub.token_for('bob')}").status_code == 403


def test_a_websocket_goes_there_and_back(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    with socket_at(hub, lab, {"cookie": f"{PASS}={held(ada, lab)}", "origin": lab}) as line:
        assert line.opened == 101
        assert line.ask("hello") == "hello"


def test_somebody_else_is_refused_until_it_is_shared_with_them(hub: RunningHub, lab: str) -> None:
    with visiting(hub, "bob") as bob:
        refused = bob.get(f"{lab}/", follow_redirects=True)
        assert refused.status_code == 403
        assert str(refused.url).startswith(f"{hub_origin(hub)}/hub/edge/login")
        share(hub, "ada", "lab", {"user": "bob"})
        assert told(bob.get(f"{lab}/", follow_redirects=True))["x-forwarded-user"] == ["bob"]
        taken = hub.ask("PATCH", "shares/ada/lab", json={"user": "bob"})
        assert taken.status_code == 200, taken.text
        began = time.monotonic()
        until(lambda: bob.get(f"{lab}/").status_code != 200, "bob is out", within=10)
        assert time.monotonic() - began < 2


def test_signing_out_at_the_hub_ends_visits_within_two_seconds(hub: RunningHub, lab: str) -> None:
    with visiting(hub, "ada", f"{lab}/") as client:
        assert client.get(f"{lab}/").status_code == 200
        assert client.get(f"{hub_origin(hub)}/hub/logout").status_code == 302
        began = time.monotonic()
        until(lambda: client.get(f"{lab}/").status_code != 200, "the visitor is out", within=10)
        assert time.monotonic() - began < 2


def test_the_path_leads_to_the_own_host_with_its_method(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    below = f"{hub_origin(hub)}/user/ada/lab"
    for method in ("GET", "POST"):
        answer = ada.request(method, f"{below}/x/y?q=1")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{lab}/x/y?q=1"
    assert ada.get(f"{hub_origin(hub)}/user/ada/z").headers["location"] == f"{app_origin(hub, 'ada')}/z"


def test_a_host_that_no_app_has_leads_people_to_the_hub_and_tells_programs(hub: RunningHub, lab: str) -> None:
    for host in ("lab-nobody-9999", "nothing", "www", "a.b"):
        other = f"https://{host}.{DOMAIN}:{hub.address.port}"
        shown = ask(other, "/x?y=1", accept="text/html")
        assert shown.status_code == 302, host
        authority = other.removeprefix("https://")
        assert shown.headers["location"] == f"{hub_origin(hub)}/hub/at/{authority}/x?y=1"
        for method, more in (("GET", {"accept": "application/json"}), ("POST", {"accept": "text/html"})):
            told_so = ask(other, "/user/ada/lab/", method, **more)
            assert told_so.status_code == 424
            assert told_so.json()["status"] == 424
    with visiting(hub, "bob") as bob:
        unknown = bob.get(f"https://nothing.{DOMAIN}:{hub.address.port}/", follow_redirects=True)
        assert unknown.status_code == 404
        # Somebody else's server looks the same as one that does not exist.
        stale = lab.replace("lab-ada", "old-name")
        assert bob.get(f"{stale}/", follow_redirects=True).status_code == 404


def test_an_address_with_an_old_label_leads_to_the_present_one(
    hub: RunningHub, ada: httpx.Client, lab: str
) -> None:
    answer = ada.get(f"{lab.replace('lab-ada', 'before-anna')}/page?x=1", follow_redirects=True)
    assert str(answer.url).startswith(f"{lab}/page?x=1")
    assert told(answer)["x-forwarded-user"] == ["ada"]


def test_the_host_of_a_stopped_server_offers_to_start_it_and_leads_back(hub: RunningHub) -> None:
    start(hub, "ada", "brief")
    origin = app_origin(hub, "ada", "brief")
    with visiting(hub, "ada", f"{origin}/") as client:
        hub.ask("DELETE", "users/ada/servers/brief")
        until(lambda: client.get(f"{origin}/x?y=1").status_code == 302, "the edge has forgotten it")
        page = client.get(f"{origin}/x?y=1", follow_redirects=True)
        assert page.status_code == 424
        assert page.url.host == hub_origin(hub).removeprefix("https://").partition(":")[0]
        action = re.search(r'action="(/hub/start/[^"]*)"', page.text)
        assert action is not None, page.text
        value = held(client, hub_origin(hub), "__Host-_xsrf")
        sent = client.post(
            f"{hub_origin(hub)}{action[1].replace('&amp;', '&')}",
            data={"_xsrf": value},
            follow_redirects=True,
        )
        assert sent.status_code == 200, sent.text[:500]
        hub.ready("ada", "brief")
        back = client.get(sent.url, follow_redirects=True)
        assert str(back.url) == f"{origin}/x?y=1"
        assert back.json()["path"] == "/x?y=1"


def test_an_app_may_stay_below_the_hubs_path_and_sees_no_cookie_of_the_hub(tmp_path: Path) -> None:
    config = echoing(own_domain=False)
    asking = {**config["profiles"][0], "slug": "asking", "auth": "hub", "default": False}
    config["profiles"] = [*config["profiles"], asking]
    with with_hosts(tmp_path, config) as hub:
        start(hub, "ada", "lab")
        start(hub, "ada", "own", profile="asking")
        assert hub.server("ada", "lab")["full_url"] == f"{hub_origin(hub)}/user/ada/lab/"
        with visiting(hub, "ada", f"{hub_origin(hub)}/user/ada/lab/") as client:
            for name in ("lab", "own"):
                answer = client.get(f"{hub_origin(hub)}/user/ada/{name}/")
                assert answer.status_code == 200
                seen = str(told(answer).get("cookie"))
                assert "own=1" in seen or name == "lab"
                assert "__Host-" not in seen, seen
            home = client.get(f"{hub_origin(hub)}/hub/home").text
            assert f'data-copy-text="{hub_origin(hub)}/user/ada/lab/"' in home
            # The app that asks by itself looks for the name of the sign-in.
            assert "jupyterhub-session-id" in seen


def test_an_app_that_was_started_before_the_domain_was_taken_away_is_still_reached(tmp_path: Path) -> None:
    hub = with_hosts(tmp_path)
    with hub:
        start(hub, "ada", "lab")
        hub.stop()
        for name in ("apps_domain", "public_url"):
            del hub.config[name]
        hub.start()
        answer = hub.ask("GET", "users/ada")
        assert answer.json()["servers"]["lab"]["ready"]
        with hub.client(hub.token_for("ada")) as client:
            assert client.get("user/ada/lab/x").json()["path"] == "/x"
