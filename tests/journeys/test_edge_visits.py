"""Visits to an app that the edge guards: how one gets a pass, keeps it, and what it costs the hub."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from guarding import (
    WebSocket,
    cookie,
    echoing,
    let_in,
    pass_of,
    questions,
    share,
    signed_in,
    start,
    told,
)
from joserfc import jwt
from joserfc.jwk import KeySet

from hubs import PASSWORD, RunningHub, until

OWN, LAB = "/user/ada/", "/user/ada/lab/"
#: Of passes, so short that a test can wait for its end.
LIFE = 3


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    with RunningHub(echoing()) as hub:
        start(hub, "ada")
        start(hub, "ada", "lab")
        yield hub


@pytest.fixture
def brief_hub() -> Iterator[RunningHub]:
    """A hub whose passes and streams end soon."""
    with RunningHub({**echoing(), "edge": {"pass_life": f"{LIFE}s", "stream_life": "4s"}}) as hub:
        start(hub, "ada", "lab")
        yield hub


def test_somebody_signed_out_is_sent_to_sign_in_and_comes_back_to_the_same_address(hub: RunningHub) -> None:
    goal = f"{LAB}some/page?x=1&y=a%2Fb"
    with hub.client() as browser:
        asked = browser.get(goal, headers={"accept": "text/html"})
        assert asked.status_code == 302
        page = browser.get(asked.headers["location"], follow_redirects=True)
        assert page.url.path == "/hub/login"
        query = page.url.query.decode()
        sent = hub.post_form(browser, f"hub/login?{query}", username="ada", password=PASSWORD)
        assert sent.status_code == 302
        seen = browser.get(sent.headers["location"], follow_redirects=True)
        assert seen.json()["path"] == goal
        assert str(seen.url).endswith(goal)


def test_scripts_and_websockets_without_a_pass_are_told_not_led_away(hub: RunningHub) -> None:
    with hub.client() as client:
        for headers in ({"accept": "application/json"}, {"accept": "*/*", "sec-fetch-mode": "cors"}):
            assert client.get(LAB, headers=headers).status_code == 401
        assert client.post(LAB, headers={"accept": "text/html"}).status_code == 401
    with WebSocket(hub, f"{LAB}ws") as line:
        assert line.opened == 401


def test_two_servers_one_below_the_other_are_visited_in_one_browser_without_questions(
    hub: RunningHub,
) -> None:
    """Both cookies have one name and go along to the inner server: the edge must take the right one."""
    with signed_in(hub, "ada", OWN, LAB) as browser:
        assert pass_of(browser, OWN) != pass_of(browser, LAB)
        before = questions(hub)
        for _ in range(5):
            assert browser.get(OWN).json()["path"] == OWN
            assert browser.get(LAB).json()["path"] == LAB
        assert questions(hub) == before
        # The order that browsers send them in (RFC 6265, 5.4): the longer path first.
        both = f"apphub-pass={pass_of(browser, LAB)}; apphub-pass={pass_of(browser, OWN)}"
        with hub.client() as client:
            assert client.get(LAB, headers={"cookie": both}).status_code == 200
            assert questions(hub) == before


@pytest.mark.parametrize("first", [OWN, LAB])
def test_the_first_visit_to_either_server_makes_no_way_to_the_other(hub: RunningHub, first: str) -> None:
    other = LAB if first == OWN else OWN
    with signed_in(hub, "ada", first) as browser:
        # The pass of the outer one is sent to the inner one too, and is not for it.
        assert browser.get(other, headers={"accept": "text/html"}).status_code == 302
        let_in(browser, other)
        before = questions(hub)
        assert browser.get(other).status_code == 200
        assert browser.get(first).status_code == 200
        assert questions(hub) == before


def test_an_expired_pass_is_renewed_by_one_question_and_the_body_arrives_whole(
    brief_hub: RunningHub,
) -> None:
    hub = brief_hub
    with signed_in(hub, "ada", LAB) as browser:
        old = pass_of(browser, LAB)
        time.sleep(LIFE + 1.5)
        before = questions(hub)
        body = "x" * 100_000
        answer = browser.post(LAB, content=body)
        assert answer.status_code == 200
        assert answer.json()["method"] == "POST"
        assert answer.json()["body"] == body
        assert "apphub-pass" not in str(told(answer))
        assert questions(hub) == before + 1
        assert pass_of(browser, LAB) != old
        assert browser.get(LAB).status_code == 200
        assert questions(hub) == before + 1
        # A websocket with the old pass opens too: nothing can be said to a browser there but yes or no.
        with WebSocket(hub, f"{LAB}ws", cookie(old)) as line:
            assert line.opened == 101
            assert line.ask("hello") == "hello"


def test_methods_that_the_hub_itself_does_not_know_are_renewed_as_well(brief_hub: RunningHub) -> None:
    with signed_in(brief_hub, "ada", LAB) as browser:
        time.sleep(LIFE + 1.5)
        answer = browser.request("PROPFIND", LAB, headers={"depth": "1"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["method"] == "PROPFIND"


def test_a_token_is_asked_about_each_time_and_needs_no_cookie(hub: RunningHub) -> None:
    with hub.client(hub.token_for("ada")) as program:
        before = questions(hub)
        for _ in range(3):
            answer = program.post(LAB, json={"a": 1})
            assert answer.json()["body"] == '{"a":1}'
        assert questions(hub) == before + 3
        assert "set-cookie" not in answer.headers or "apphub-pass" not in answer.headers["set-cookie"]


def test_without_its_hub_those_with_a_pass_go_on_and_the_rest_waits(brief_hub: RunningHub) -> None:
    hub = brief_hub
    with signed_in(hub, "ada", LAB) as browser:
        browser.get(LAB)
        hub.kill()
        assert browser.get(LAB).status_code == 200
        time.sleep(LIFE + 1.5)
        assert browser.get(LAB).status_code == 503
        with hub.client() as stranger:
            assert stranger.get(LAB).status_code == 503
            assert stranger.get(LAB, headers={"authorization": "Bearer x"}).status_code == 503
        hub.start()
        until(lambda: browser.get(LAB).status_code == 200, "the pass is renewed")


def test_streams_end_after_their_life_even_of_those_who_may_stay(brief_hub: RunningHub) -> None:
    """The bound that holds whatever else fails; programs with a token have no other."""
    by_token = {"authorization": f"token {brief_hub.token_for('ada')}"}
    with WebSocket(brief_hub, f"{LAB}ws", by_token) as line:
        began = time.monotonic()
        until(lambda: line.ask("still?") is None, "the websocket has ended", within=20)
        assert 3 < time.monotonic() - began < 8


def test_a_guest_gets_in_by_a_share_and_somebody_else_does_not(hub: RunningHub) -> None:
    hub.ask("POST", "users/bob")
    share(hub, "ada", "lab", {"user": "bob"})
    with signed_in(hub, "bob", LAB) as browser:
        assert told(browser.get(LAB))["x-forwarded-user"] == ["bob"]
        # The share is for this server, not for the one above it.
        refused = browser.get(OWN, headers={"accept": "text/html"}, follow_redirects=True)
        assert refused.status_code == 403
    with hub.sign_in("cyd") as browser:
        refused = browser.get(LAB, headers={"accept": "text/html"}, follow_redirects=True)
        assert refused.status_code == 403
        assert "not open to you" in refused.text


def test_keys_that_apps_check_identities_with_are_public(hub: RunningHub) -> None:
    with signed_in(hub, "ada", LAB) as browser, httpx.Client(base_url=hub.url, trust_env=False) as anybody:
        keys = anybody.get("hub/.well-known/jwks.json").json()
        assert all("d" not in key for key in keys["keys"])
        identity = told(browser.get(LAB))["x-apphub-identity"][0]
        claims = jwt.decode(identity, KeySet.import_key_set(keys), algorithms=["ES256"]).claims
        assert claims["sub"] == "ada"
        assert claims["iss"] == "apphub-identity"


def test_use_counts_as_activity_of_the_server(hub: RunningHub) -> None:
    """The app reports nothing: what the edge sees is all there is."""
    start(hub, "ada", "used")
    path = "/user/ada/used/"

    def last() -> str:
        return str(hub.server("ada", "used")["last_activity"])

    ready = last()
    with signed_in(hub, "ada", path):
        until(lambda: last() > ready, "the visit counts")
        visited = last()
    with WebSocket(hub, f"{path}ws", {"authorization": f"token {hub.token_for('ada')}"}) as line:
        assert line.opened == 101
        until(lambda: last() > visited, "the websocket counts")
