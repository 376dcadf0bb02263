"""A request with an Idempotency-Key is done once, and answered again as the first was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hubs import TRIAL, RunningHub

KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    with RunningHub({**TRIAL, "timeouts": {"slow_spawn": "20s", "stop": "1s"}}) as running:
        yield running


def _same(one: httpx.Response, other: httpx.Response) -> bool:
    return (one.status_code, one.content) == (other.status_code, other.content)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users", {"usernames": ["ada", "bob"]}),
        ("users/cy", None),
        ("groups", {"groups": ["analysts"]}),
        ("groups/testers", {"users": []}),
    ],
)
def test_what_was_made_is_not_made_again_and_the_answer_is_the_same(
    hub: RunningHub, path: str, body: object
) -> None:
    first = hub.ask("POST", path, json=body, headers=KEY)
    assert first.status_code == 201, first.text
    assert _same(first, hub.ask("POST", path, json=body, headers=KEY))
    bare = {"idempotency-key": KEY["idempotency-key"].strip('"')}
    assert _same(first, hub.ask("POST", path, json=body, headers=bare))
    assert hub.ask("POST", path, json=body).status_code == 409


def test_a_start_sent_again_is_answered_as_the_first_and_starts_nothing(hub: RunningHub) -> None:
    hub.ask("POST", "users/dora")
    first = hub.ask("POST", "users/dora/server", headers=KEY)
    assert first.status_code == 201, first.text
    assert hub.ask("POST", "users/dora/server").status_code == 400  # it runs
    assert _same(first, hub.ask("POST", "users/dora/server", headers=KEY))
    assert hub.ask("DELETE", "users/dora/server").status_code == 204
    assert _same(first, hub.ask("POST", "users/dora/server", headers=KEY))
    assert hub.server("dora")["stopped"]
    # The same key at another address is another request.
    named = hub.ask("POST", "users/dora/servers/lab", headers=KEY)
    assert named.status_code == 201, named.text
    assert hub.server("dora", "lab")["ready"]


def test_a_key_used_with_another_body_is_refused(hub: RunningHub) -> None:
    headers = {"idempotency-key": "k-1"}
    assert hub.ask("POST", "users", json={"usernames": ["eve"]}, headers=headers).status_code == 201
    refused = hub.ask("POST", "users", json={"usernames": ["fay"]}, headers=headers)
    assert refused.status_code == 422, refused.text
    assert hub.ask("GET", "users/fay").status_code == 404


def test_a_refusal_is_not_kept_for_nothing_was_done(hub: RunningHub) -> None:
    headers = {"idempotency-key": "k-2"}
    assert hub.ask("POST", "users/gil/server", headers=headers).status_code == 404
    hub.ask("POST", "users/gil")
    assert hub.ask("POST", "users/gil/server", headers=headers).status_code == 201


def test_the_key_of_one_caller_answers_nobody_else(hub: RunningHub) -> None:
    headers = {"idempotency-key": "k-3"}
    hub.ask("POST", "users/hal")
    token = hub.token_for("hal")
    assert hub.ask("POST", "users", json={"usernames": ["ivy"]}, headers=headers).status_code == 201
    other = hub.ask("POST", "users", json={"usernames": ["ivy"]}, headers=headers, token=token)
    assert other.status_code in (403, 404)


def test_a_caller_who_has_lost_the_right_is_not_answered_from_before(hub: RunningHub) -> None:
    headers = {"idempotency-key": "k-4"}
    hub.ask("POST", "users/jo", json={"admin": True})
    token = hub.token_for("jo")
    body = {"usernames": ["kim"]}
    assert hub.ask("POST", "users", json=body, headers=headers, token=token).status_code == 201
    hub.ask("PATCH", "users/jo", json={"admin": False})
    assert hub.ask("POST", "users", json=body, headers=headers, token=token).status_code in (403, 404)


def test_a_start_under_way_is_told_as_such(hub: RunningHub) -> None:
    headers = {"idempotency-key": "k-5"}
    hub.ask("POST", "users/lea")
    gate = threading.Barrier(6)

    def ask(_: int) -> int:
        gate.wait()
        return hub.ask("POST", "users/lea/server", headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(ask, range(6)))
    assert statuses[0] == 201
    assert set(statuses) <= {201, 409}
    assert 409 in statuses
    assert hub.server("lea")["ready"]


@pytest.mark.parametrize("key", ["", "a b", "ü", '"', "x" * 256])
def test_a_key_that_is_none_is_refused_in_words(hub: RunningHub, key: str) -> None:
    refused = hub.ask("POST", "users/max", headers={"idempotency-key": key.encode()})
    assert refused.status_code == 400, refused.text
    assert "Idempotency-Key" in refused.json()["message"]
    assert hub.ask("GET", "users/max").status_code == 404


def test_tokens_take_no_key_for_their_secret_is_not_kept(hub: RunningHub) -> None:
    refused = hub.ask("POST", "users/admin/tokens", json={}, headers=KEY)
    assert refused.status_code == 400
    assert "secret" in refused.json()["message"]
