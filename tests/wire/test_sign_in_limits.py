"""Guessing passwords is slow, tells nothing, and locks nobody else out.

Each test has accounts of its own on one hub, for failures are counted per account; the looser
count per address has a hub to itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hubs import PASSWORD, TRIAL, RunningHub

LIMIT = 3


@pytest.fixture(scope="module")
def strict_hub() -> Iterator[RunningHub]:
    login = {**TRIAL["login"], "failures_per_account": LIMIT, "failures_per_address": 1000}
    with RunningHub({"login": {**login, "failure_window": "5m"}}) as hub:
        yield hub


def trade(hub: RunningHub, name: str, password: str, **more: Any) -> httpx.Response:
    """Ask for a token as a program does."""
    with hub.client() as client:
        body = {"username": name, "password": password}
        return client.post("hub/api/authorizations/token", json=body, **more)


def submit(hub: RunningHub, name: str, password: str) -> httpx.Response:
    """Send the sign-in form as a browser does."""
    with hub.client() as browser:
        browser.get("hub/login")
        return hub.post_form(browser, "hub/login", username=name, password=password)


def assert_paused(answer: httpx.Response) -> None:
    assert answer.status_code == 429, answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "Too many failed sign-ins" in answer.text


def test_failures_on_one_account_end_in_a_pause_that_both_doors_keep(strict_hub: RunningHub) -> None:
    assert [trade(strict_hub, "ada", f"guess {n}").status_code for n in range(LIMIT)] == [403] * LIMIT
    assert_paused(trade(strict_hub, "ada", "another"))
    assert_paused(trade(strict_hub, "ada", PASSWORD))  # also for the right one: nothing is checked
    assert_paused(submit(strict_hub, "ada", PASSWORD))


def test_another_spelling_of_a_name_is_the_same_account(strict_hub: RunningHub) -> None:
    for name in ("Grace", "GRACE", "grace"):
        assert trade(strict_hub, name, "guess").status_code == 403
    assert_paused(trade(strict_hub, "gRaCe", PASSWORD))


def test_failures_on_the_page_count_as_well(strict_hub: RunningHub) -> None:
    assert [submit(strict_hub, "bob", "guess").status_code for _ in range(LIMIT)] == [403] * LIMIT
    assert_paused(submit(strict_hub, "bob", PASSWORD))
    assert_paused(trade(strict_hub, "bob", PASSWORD))


def test_names_that_cannot_exist_are_counted_too(strict_hub: RunningHub) -> None:
    name = "no/such\nname"
    assert [trade(strict_hub, name, "guess").status_code for _ in range(LIMIT)] == [403] * LIMIT
    assert_paused(trade(strict_hub, name, "guess"))


def test_a_pause_of_one_account_is_none_of_another(strict_hub: RunningHub) -> None:
    for _ in range(LIMIT + 1):
        trade(strict_hub, "carol", "guess")
    assert trade(strict_hub, "dave", PASSWORD).status_code == 200


def test_a_success_clears_the_count(strict_hub: RunningHub) -> None:
    for _ in range(3):
        for _ in range(LIMIT - 1):
            assert trade(strict_hub, "erin", "guess").status_code == 403
        assert trade(strict_hub, "erin", PASSWORD).status_code == 200


def test_a_pause_outlives_a_restart(strict_hub: RunningHub) -> None:
    for _ in range(LIMIT):
        trade(strict_hub, "frank", "guess")
    strict_hub.restart()
    assert_paused(trade(strict_hub, "frank", PASSWORD))


def test_failures_from_one_address_end_in_a_pause_whatever_the_names() -> None:
    login = {**TRIAL["login"], "failures_per_account": 1000, "failures_per_address": 5}
    with RunningHub({"login": login}) as hub:
        statuses = [trade(hub, f"name-{n}", "guess").status_code for n in range(7)]
        assert statuses == [403] * 5 + [429] * 2
        # A client may not choose its address: nothing stands before this hub.
        claimed = trade(hub, "name-9", "guess", headers={"x-forwarded-for": "192.0.2.1"})
        assert claimed.status_code == 429
        with hub.client() as client:
            assert client.get("hub/login").status_code == 200  # others may still see the page


def test_behind_a_trusted_proxy_the_address_that_it_tells_is_counted() -> None:
    login = {**TRIAL["login"], "failures_per_account": 1000, "failures_per_address": 2}
    with RunningHub({"login": login, "trusted_proxies": 1}) as hub:

        def guess(address: str) -> int:
            return trade(hub, "ada", "guess", headers={"x-forwarded-for": address}).status_code

        assert [guess("192.0.2.1") for _ in range(3)] == [403, 403, 429]
        assert guess("192.0.2.2") == 403
        # One who has a whole /64 to choose from is still one.
        assert [guess(f"2001:db8:1:1::{n}") for n in (1, 2, 3)] == [403, 403, 429]
        assert guess("2001:db8:1:2::1") == 403


@pytest.fixture(scope="module")
def own_hub() -> Iterator[RunningHub]:
    """Passwords of the hub's own, where names may be unknown: the default way to sign in."""
    with RunningHub({"login": {"failures_per_account": 1000, "failures_per_address": 1000}}) as hub:
        yield hub


def _without_what_differs(answer: httpx.Response) -> tuple[int, str, list[str]]:
    return answer.status_code, answer.text, sorted(set(answer.headers) - {"x-envoy-upstream-service-time"})


def test_unknown_names_and_wrong_passwords_look_the_same_to_programs(own_hub: RunningHub) -> None:
    assert own_hub.ask("POST", "users/no-password").status_code == 201
    answers = [
        trade(own_hub, name, password)
        for name in ("admin", "nobody", "no-password", "no\nname", "x" * 10_000, "")
        for password in ("wrong", "", "x" * 10_000)
    ]
    looks = {repr(_without_what_differs(answer)) for answer in answers}
    assert len(looks) == 1
    assert answers[0].status_code == 403
    assert answers[0].json() == {"status": 403, "message": "Invalid username or password"}


def test_unknown_names_and_wrong_passwords_look_the_same_to_people(own_hub: RunningHub) -> None:
    for name in ("admin", "nobody"):
        answer = submit(own_hub, name, "wrong")
        assert answer.status_code == 403
        assert "Invalid username or password" in answer.text
        assert not {"jupyterhub-hub-login", "jupyterhub-session-id"} & set(answer.cookies)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(own_hub: RunningHub) -> None:
    def took(name: str) -> float:
        began = time.perf_counter()
        assert trade(own_hub, name, "wrong").status_code == 403
        return time.perf_counter() - began

    took("admin")
    pairs = [(took("admin"), took(f"nobody-{n}")) for n in range(9)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    # Without the hash that stands in for a missing one, it would be a tenth or less.
    assert unknown > known / 3


def test_a_token_is_for_the_program_that_asked_and_for_no_cache_or_page(own_hub: RunningHub) -> None:
    foreign = {"origin": "https://elsewhere.example"}
    answer = trade(own_hub, "admin", own_hub.password, headers=foreign)
    assert answer.status_code == 200
    made = own_hub.ask("POST", "users/admin/tokens", json={"note": "test"}, headers=foreign)
    assert made.status_code == 201
    refused = trade(own_hub, "admin", "wrong", headers=foreign)
    with own_hub.client() as client:
        preflight = client.options(
            "hub/api/authorizations/token", headers={**foreign, "access-control-request-method": "POST"}
        )
    for one in (answer, made, refused, preflight):
        assert "set-cookie" not in one.headers
        assert "access-control-allow-origin" not in one.headers
        assert "access-control-allow-credentials" not in one.headers
    for one in (answer, made, refused):
        assert one.headers["cache-control"] == "no-store"


def test_a_traded_token_ends_and_cannot_ask_to_live_longer(own_hub: RunningHub) -> None:
    with own_hub.client() as client:
        body = {"username": "admin", "password": own_hub.password, "expires_in": 10**8}
        long, short = (
            client.post("hub/api/authorizations/token", json=asked).json()["expires_at"]
            for asked in (body, {**body, "expires_in": 60})
        )
    assert short < long
    assert long < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 12 * 3600 + 60))


def test_the_page_takes_no_password_that_another_page_sends(own_hub: RunningHub) -> None:
    with own_hub.client() as browser:
        browser.get("hub/login")
        fields = {"username": "admin", "password": own_hub.password}
        assert browser.post("hub/login", data=fields).status_code == 403
        fields["_xsrf"] = browser.cookies["_xsrf"]
        for headers in ({"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}):
            refused = browser.post("hub/login", data=fields, headers=headers)
            assert refused.status_code == 403
            assert "jupyterhub-hub-login" not in refused.cookies
        assert browser.post("hub/login", data=fields).status_code == 302
