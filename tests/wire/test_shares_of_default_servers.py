"""The default server has no name, so addresses of its shares end in a slash: `/shares/ada/`."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hubs import TRIAL, RunningHub

SCOPE = "access:servers!server=ada/"


@pytest.fixture(scope="module", params=["/", "/apps/"])
def sharing_hub(request: pytest.FixtureRequest) -> Iterator[RunningHub]:
    """Ada has a default server; bob is a member of the group `readers`."""
    config = {
        **TRIAL,
        "base_url": request.param,
        "groups": {"readers": {"members": ["bob"]}},
        "profiles": [{"slug": "small", "kind": "hello", "groups": "everyone", "default": True}],
    }
    with RunningHub(config) as hub:
        assert hub.ask("POST", "users/ada").status_code == 201
        assert hub.ask("POST", "users/ada/server").status_code in (201, 202)
        yield hub


def items(answer: httpx.Response) -> list[str]:
    """The servers of a list of shares."""
    return [f"{one['server']['user']['name']}/{one['server']['name']}" for one in answer.json()["items"]]


@pytest.mark.parametrize(("kind", "name"), [("user", "bob"), ("group", "readers")])
def test_a_default_server_is_shared_listed_and_closed(sharing_hub: RunningHub, kind: str, name: str) -> None:
    ask = sharing_hub.ask
    made = ask("POST", "shares/ada/", json={kind: name})
    assert (made.status_code, made.json()["scopes"]) == (200, [SCOPE])
    assert items(ask("GET", "shares/ada/")) == ["ada/"]
    assert items(ask("GET", "shares/ada")) == ["ada/"]
    assert items(ask("GET", f"{kind}s/{name}/shared")) == ["ada/"]
    assert ask("GET", f"{kind}s/{name}/shared/ada/").json()["scopes"] == [SCOPE]
    assert SCOPE in ask("GET", "user", token=sharing_hub.token_for("bob")).json()["scopes"]
    assert ask("DELETE", f"{kind}s/{name}/shared/ada/").status_code == 204
    assert SCOPE not in ask("GET", "user", token=sharing_hub.token_for("bob")).json()["scopes"]
    assert ask("POST", "shares/ada/", json={kind: name}).status_code == 200
    assert ask("PATCH", "shares/ada/", json={kind: name}).json() == {}
    assert ask("DELETE", "shares/ada/").status_code == 204


def test_a_default_server_has_codes(sharing_hub: RunningHub) -> None:
    ask = sharing_hub.ask
    made = ask("POST", "share-codes/ada/", json={})
    assert (made.status_code, made.json()["scopes"]) == (200, [SCOPE])
    assert items(ask("GET", "share-codes/ada/")) == ["ada/"]
    assert ask("DELETE", f"share-codes/ada/?code={made.json()['code']}").status_code == 204
    assert items(ask("GET", "share-codes/ada/")) == []


def test_the_next_page_of_its_shares_has_the_same_address(sharing_hub: RunningHub) -> None:
    for name in ("cleo", "dora"):
        assert sharing_hub.ask("POST", f"users/{name}").status_code == 201
        assert sharing_hub.ask("POST", "shares/ada/", json={"user": name}).status_code == 200
    following = sharing_hub.ask("GET", "shares/ada/?limit=1").json()["_pagination"]["next"]["url"]
    assert following == f"{sharing_hub.url}hub/api/shares/ada/?limit=1&offset=1"
    assert sharing_hub.ask("DELETE", "shares/ada/").status_code == 204


@pytest.mark.parametrize("server", ["%20", "%FF", "%00", "/", "lab/"])
def test_only_nothing_means_the_default_server(sharing_hub: RunningHub, server: str) -> None:
    assert sharing_hub.ask("GET", f"shares/ada/{server}").status_code == 404


def test_one_more_segment_that_is_empty_is_no_server(sharing_hub: RunningHub) -> None:
    assert sharing_hub.ask("GET", "shares//").status_code == 404
    assert sharing_hub.ask("GET", "users/bob/shared/").status_code == 404
