"""Each deliberate difference from JupyterHub 6.1.1 that docs/reference/compatibility.md tells of.

What is the same is held by the recorded suite (test_conformance); where JupyterHub is plainly
wrong, by the suite's hand-written part. Here is the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apphub import JUPYTERHUB_VERSION, __version__
from hubs import TRIAL, RunningHub, until

CONFIG = {
    **TRIAL,
    "groups": {"declared": {"members": ["admin"], "properties": {"origin": "file"}}},
    "services": [
        {"name": "declared", "api_token": "declared-token-0123456789abcdef", "roles": ["admin"]},
        {
            "name": "asked-for",
            "api_token": "asked-for-token-0123456789abcdef",
            "url": "http://127.0.0.1:9",
        },
    ],
    "profiles": [
        {"slug": "hello", "kind": "hello", "groups": "everyone", "default": True},
        {
            "slug": "free",
            "kind": "hello",
            "groups": "everyone",
            "extra_options": "allow",
        },
    ],
}


@pytest.fixture(scope="module")
def differing_hub() -> Iterator[RunningHub]:
    with RunningHub(CONFIG) as hub:
        for name in ("ada", "eve"):
            assert hub.ask("POST", f"users/{name}").status_code == 201
        yield hub


def test_answers_name_the_hub_behind_the_contract(differing_hub: RunningHub) -> None:
    with differing_hub.client() as client:
        for path in ("hub/api/", "hub/login", "hub/health"):
            headers = client.get(path).headers
            assert headers["x-jupyterhub-version"] == JUPYTERHUB_VERSION
            assert headers["x-apphub-version"] == __version__
            assert len(headers["x-request-id"]) == 16
        assert client.get("hub/api/").json() == {"version": JUPYTERHUB_VERSION}


def test_options_and_refusals_name_every_method_of_an_address(differing_hub: RunningHub) -> None:
    assert differing_hub.ask("OPTIONS", "users").headers["allow"] == "GET, OPTIONS, POST"
    for method in ("HEAD", "DELETE"):
        refused = differing_hub.ask(method, "users")
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == {"GET", "OPTIONS", "POST"}


def test_head_of_a_page_is_its_get_without_the_content(differing_hub: RunningHub) -> None:
    with differing_hub.sign_in("ada") as browser:
        for path in (
            "hub/home",
            "hub/login",
            "hub/token",
            "hub/static/app.css",
            "hub/nowhere",
            "hub/user/ada/x",
        ):
            asked, bare = browser.get(path), browser.head(path)
            assert bare.status_code == asked.status_code, path
            assert bare.content == b""
            assert bare.headers["content-type"] == asked.headers["content-type"]
        assert "HEAD" in browser.options("hub/home").headers["allow"].split(", ")
    assert differing_hub.ask("HEAD", "user").status_code == 405  # as JupyterHub has it


def test_an_address_with_a_zero_character_is_refused_in_words(differing_hub: RunningHub) -> None:
    with differing_hub.client() as client:
        for path in ("hub/%00", "hub/home%00", "user/ada/%00", "services/a%00b", "%00"):
            page = client.get(path, headers={"accept": "text/html"})
            assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=UTF-8")
            assert "(%00)" in page.text
            assert client.get(path).text.endswith("(%00). Look at it again.\n")


@pytest.mark.parametrize(
    ("query", "status", "names"),
    [
        ("limit=0", 200, ["admin"]),
        ("limit=-2", 200, ["admin", "ada"]),
        ("offset=-4", 200, ["admin", "ada", "eve"]),
        ("limit=99999999999", 400, None),
        ("offset=99999999999", 400, None),
    ],
)
def test_places_in_lists_are_bounded(
    differing_hub: RunningHub, query: str, status: int, names: list[str] | None
) -> None:
    answer = differing_hub.ask("GET", f"users?{query}")
    assert answer.status_code == status
    if names is not None:
        assert [user["name"] for user in answer.json()] == names


def test_a_name_is_folded_when_it_is_created(differing_hub: RunningHub) -> None:
    made = differing_hub.ask("POST", "users/GRACE")
    assert (made.status_code, made.json()["name"]) == (201, "grace")
    assert differing_hub.ask("GET", "users/grace").status_code == 200
    assert differing_hub.ask("POST", "users/Grace").status_code == 409
    assert differing_hub.ask("DELETE", "users/grace").status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "users/admin", None),
        ("PATCH", "users/admin", {"admin": False}),
        ("PATCH", "users/admin", {"name": "root"}),
        ("DELETE", "groups/declared", None),
        ("DELETE", "groups/declared/users", {"users": ["admin"]}),
        ("PUT", "groups/declared/properties", {"origin": "api"}),
    ],
)
def test_what_the_settings_declare_is_not_contradicted(
    differing_hub: RunningHub, method: str, path: str, body: dict[str, Any] | None
) -> None:
    # Not as its own administrator: nobody deletes themselves.
    token = CONFIG["services"][0]["api_token"]
    answer = differing_hub.ask(method, path, json=body, token=token)
    assert answer.status_code == 409
    assert "settings file" in answer.json()["message"]


def test_repeating_what_the_settings_declare_is_fine(differing_hub: RunningHub) -> None:
    assert differing_hub.ask("PATCH", "users/admin", json={"admin": True}).status_code == 200
    same = differing_hub.ask("PUT", "groups/declared/properties", json={"origin": "file"})
    assert same.status_code == 200
    assert differing_hub.ask("POST", "groups/declared/users", json={"users": ["ada"]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("users/ada/tokens", {"expires_in": 10**12}, "ten years"),
        ("users/ada/tokens", {"note": "x" * 1001}, "1000 characters"),
        ("services/new", {"api_token": "short"}, "16 characters"),
        ("services/new", {"oauth_no_confirm": True, "api_token": "k" * 32}, "settings file only"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    differing_hub: RunningHub, path: str, body: dict[str, Any], words: str
) -> None:
    answer = differing_hub.ask("POST", path, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_nothing_is_kept_of_a_sign_in(differing_hub: RunningHub) -> None:
    refused = differing_hub.ask("PATCH", "users/ada", json={"auth_state": {"token": "x"}})
    assert refused.status_code == 400
    assert differing_hub.ask("PATCH", "users/ada", json={"auth_state": None}).status_code == 200


def test_an_empty_body_object_asks_for_the_default_options_and_none_for_the_last_ones(
    differing_hub: RunningHub,
) -> None:
    path = "users/ada/servers/again"
    for body, options in (
        ({"json": {"profile": "free", "size": 2}}, {"profile": "free", "size": 2}),
        ({}, {"profile": "free", "size": 2}),
        ({"json": {}}, {}),
    ):
        assert differing_hub.ask("POST", path, **body).status_code in (201, 202)
        assert differing_hub.ready("ada", "again")["user_options"] == options
        assert differing_hub.ask("DELETE", path).status_code in (202, 204)
        until(lambda: differing_hub.server("ada", "again")["stopped"], "it has stopped")
    assert differing_hub.ask("DELETE", path, json={"remove": True}).status_code == 204


def test_options_that_a_profile_does_not_declare_are_refused(differing_hub: RunningHub) -> None:
    for body in ({"size": 2}, {"profile": "hello", "size": 2}, {"user_options": {"size": 2}}):
        answer = differing_hub.ask("POST", "users/ada/servers/picky", json=body)
        assert answer.status_code == 400, body
        assert "size" in answer.json()["message"]
    unknown = differing_hub.ask("POST", "users/ada/servers/picky", json={"profile": "none-such"})
    assert 400 <= unknown.status_code < 500
    assert differing_hub.ask("GET", "users/ada/servers/picky").status_code == 404


def test_a_servers_state_says_its_phase_and_a_failures_reason_only(differing_hub: RunningHub) -> None:
    assert differing_hub.ask("POST", "users/eve/server").status_code in (201, 202)
    server = differing_hub.ready("eve")
    assert set(server["state"]) == {"phase", "attempt", "address", "profile"}
    assert (server["state"]["phase"], server["state"]["profile"]) == ("ready", "hello")
    own = differing_hub.ask("GET", "users/eve", token=differing_hub.token_for("eve"))
    assert "state" not in own.json()["servers"][""]


def test_a_user_with_a_running_server_keeps_their_name(differing_hub: RunningHub) -> None:
    differing_hub.ready("eve")
    refused = differing_hub.ask("PATCH", "users/eve", json={"name": "eva"})
    assert refused.status_code == 409
    assert "running servers" in refused.json()["message"]


def test_routes_are_those_of_users_servers_and_edges_come_by_themselves(differing_hub: RunningHub) -> None:
    differing_hub.ready("eve")
    routes = differing_hub.ask("GET", "proxy").json()
    assert list(routes) == ["/user/eve/"]
    refused = differing_hub.ask("PATCH", "proxy", json={"ip": "127.0.0.1"})
    assert refused.status_code == 400
    assert differing_hub.ask("PATCH", "proxy", json={}).status_code == 200


def test_a_service_without_an_address_is_an_empty_text_everywhere(differing_hub: RunningHub) -> None:
    token = CONFIG["services"][0]["api_token"]
    assert differing_hub.ask("GET", "user", token=token).json()["url"] == ""
    assert differing_hub.ask("GET", "services/declared").json()["url"] == ""


def test_scopes_that_make_no_sense_of_a_server_are_not_shared(differing_hub: RunningHub) -> None:
    differing_hub.ask("PUT", "users/ada/servers/lab")
    for scope in ("admin:users", "no:such", "access:servers!server=eve/"):
        share = {"user": "eve", "scopes": [scope]}
        assert differing_hub.ask("POST", "shares/ada/lab", json=share).status_code == 400, scope
        assert differing_hub.ask("POST", "share-codes/ada/lab", json={"scopes": [scope]}).status_code == 400
    allowed = {"user": "eve", "scopes": ["access:servers", "read:servers"]}
    assert differing_hub.ask("POST", "shares/ada/lab", json=allowed).status_code == 200


def test_addresses_of_nobody_are_told_so_and_reports_of_browsers_need_no_sign_in(
    differing_hub: RunningHub,
) -> None:
    with differing_hub.client() as client:
        assert client.get("hub/error/404").status_code == 404
        assert client.post("hub/security/csp-report", json={}).status_code == 204
        # An address beside the hub is wrong, and not led into it.
        assert client.get("metrics").status_code == 404


def test_a_body_that_is_too_large_is_told_so(differing_hub: RunningHub) -> None:
    assert differing_hub.ask("POST", "users", content=b" " * 2_000_001).status_code == 413


def test_scopes_of_our_own_are_listed_when_asked_for(differing_hub: RunningHub) -> None:
    plain = set(differing_hub.ask("GET", "user").json()["scopes"])
    whole = set(differing_hub.ask("GET", "user?own_scopes=1").json()["scopes"])
    assert plain < whole
    assert any(scope.startswith("read:profiles") for scope in whole - plain)


def test_an_address_shows_a_form_where_jupyterhub_would_start(differing_hub: RunningHub) -> None:
    with differing_hub.sign_in("ada") as browser:
        page = browser.get("hub/spawn/ada?profile=free")
        assert page.status_code == 200
        assert "<form" in page.text
    assert differing_hub.ask("GET", "users/ada").json()["servers"] == {}


def test_progress_tells_output_when_asked_for(differing_hub: RunningHub) -> None:
    differing_hub.ready("eve")
    plain = differing_hub.ask("GET", "users/eve/server/progress")
    detailed = differing_hub.ask("GET", "users/eve/server/progress?detail=1")
    assert '"log"' not in plain.text
    assert '"ready":true' in plain.text
    assert '"ready":true' in detailed.text


def test_a_page_of_another_site_signs_nobody_out(differing_hub: RunningHub) -> None:
    with differing_hub.sign_in("ada") as browser:
        for site in ("cross-site", "same-site"):
            assert browser.get("hub/logout", headers={"sec-fetch-site": site}).status_code == 403
        assert browser.get("hub/home").status_code == 200
        assert browser.get("hub/logout").status_code == 302
        assert browser.get("hub/home").status_code == 302
