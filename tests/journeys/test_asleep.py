"""Addresses of named servers that do not run are theirs, also where their owner's default server runs."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest
from guarding import ECHO, WebSocket, cookie, echoing, let_in, pass_of, signed_in, start

from hubs import RunningHub, until

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = echoing()
    asking = {"slug": "asking", "command": [sys.executable, str(ECHO), "{port}"], "groups": "everyone"}
    with RunningHub({**config, "profiles": [*config["profiles"], {**asking, "auth": "hub"}]}) as hub:
        start(hub, "ada")
        yield hub


def _asked(hub: RunningHub, path: str) -> tuple[int, str | None]:
    with hub.client(hub.token_for("ada")) as client:
        answer = client.get(path, headers=HTML)
    return answer.status_code, answer.headers.get("location")


def _stop(hub: RunningHub, name: str, **body: bool) -> None:
    assert hub.ask("DELETE", f"users/ada/servers/{name}", json=body or None).status_code in (202, 204)


def test_the_address_of_a_stopped_server_leads_to_its_own_page_which_starts_it(hub: RunningHub) -> None:
    start(hub, "ada", "lab")
    with signed_in(hub, "ada", "/user/ada/", "/user/ada/lab/") as browser:
        _stop(hub, "lab")
        for path in ("/user/ada/lab/", "/user/ada/lab/x?y=%2F", "/user/ada/lab"):
            assert _asked(hub, path) == (302, f"/hub{path}")
        page = browser.get("/user/ada/lab/x?y=1", headers=HTML, follow_redirects=True)
        assert page.status_code == 424
        assert "\u201clab\u201d" in page.text  # whose page it is
        [action] = re.findall(r'action="(/hub/start/ada/lab[^"]+)"', page.text)
        goal = html.unescape(action)
        assert unquote(goal) == "/hub/start/ada/lab?next=/user/ada/lab/x?y=1"
        assert hub.post_form(browser, goal).status_code == 302
        hub.ready("ada", "lab")
        assert let_in(browser, "/user/ada/lab/x?y=1").json()["path"] == "/user/ada/lab/x?y=1"
        # What only begins with its name, and the default server's own pages, are the default server's.
        for path in ("/user/ada/labs/", "/user/ada/x"):
            assert browser.get(path).json()["path"] == path


def test_programs_are_told_that_it_does_not_run_and_not_what_the_default_server_says(hub: RunningHub) -> None:
    start(hub, "ada", "job")
    _stop(hub, "job")
    with hub.client(hub.token_for("ada")) as client:
        answer = client.get("/user/ada/job/", headers={"accept": "application/json"}, follow_redirects=True)
    assert answer.status_code == 424
    assert "no longer running" in answer.json()["message"]


def test_a_server_that_was_made_renamed_or_removed_and_never_started_counts_too(hub: RunningHub) -> None:
    assert hub.ask("PUT", "users/ada/servers/new", json={}).status_code == 201
    until(lambda: _asked(hub, "/user/ada/new/")[0] == 302, "its address is its own", 5)
    assert hub.ask("PATCH", "users/ada/servers/new", json={"name": "newer"}).status_code == 200
    until(lambda: _asked(hub, "/user/ada/newer/")[0] == 302, "the new one is", 5)
    until(lambda: _asked(hub, "/user/ada/new/")[0] == 200, "the old one is the default server's", 5)
    _stop(hub, "newer", remove=True)
    with signed_in(hub, "ada", "/user/ada/") as browser:
        # The first one who comes finds that it is gone, and is where they should be.
        answer = browser.get("/user/ada/newer/x", headers=HTML, follow_redirects=True)
        assert answer.json()["path"].startswith("/user/ada/newer/x")
        assert _asked(hub, "/user/ada/newer/x")[0] == 200


def test_an_edge_that_has_not_heard_yet_is_told_no(hub: RunningHub) -> None:
    """The edge asks about a server that has just stopped, or does not exist: nobody is let through unasked."""
    start(hub, "kim")
    start(hub, "kim", "lab")
    assert hub.ask("DELETE", "users/kim/servers/lab").status_code in (202, 204)
    until(lambda: hub.server("kim", "lab").get("pending") is None, "it has stopped")
    headers = {"authorization": f"Bearer {hub.token}"}
    socket = httpx.HTTPTransport(uds=str(hub.data_dir / "run" / "hub-1.sock"))
    with httpx.Client(transport=socket, base_url="http://hub/hub/edge/check", headers=headers) as edge:
        assert edge.get("/user/kim/x").status_code == 200
        for path in ("/user/kim/lab/x", "/user/nobody/x", "/services/none/x"):
            assert edge.get(path).status_code == 503


def test_below_a_default_server_that_asks_by_itself_nothing_is_kept(hub: RunningHub) -> None:
    """JupyterLab is one, and its first page is `lab`."""
    start(hub, "eve", profile="asking")
    start(hub, "eve", "lab")
    assert hub.ask("DELETE", "users/eve/servers/lab").status_code in (202, 204)
    with hub.client() as client:
        assert client.get("/user/eve/lab/").json()["path"] == "/user/eve/lab/"


def test_an_address_without_its_last_slash_finds_a_server_that_runs(hub: RunningHub) -> None:
    start(hub, "bob", "lab")
    with signed_in(hub, "bob", "/user/bob/lab/") as browser:
        assert let_in(browser, "/user/bob/lab").json()["path"].startswith("/user/bob/lab/")


def test_an_address_without_its_last_slash_is_the_named_servers_also_beside_a_default_one(
    hub: RunningHub,
) -> None:
    for name in ("", "lab"):
        start(hub, "pia", name)
    with signed_in(hub, "pia", "/user/pia/", "/user/pia/lab/") as browser:
        for accept in ("text/html", "application/json"):
            answer = browser.get("/user/pia/lab?x=%2F", headers={"accept": accept}, follow_redirects=True)
            assert answer.json()["path"] == "/user/pia/lab/?x=%2F&redirects=1"
        assert browser.head("/user/pia/lab").headers["location"] == "/hub/user/pia/lab"
        # What is no page, and what only begins like it, is the default server's.
        assert browser.post("/user/pia/lab").json()["path"] == "/user/pia/lab"
        for path in ("/user/pia/labs", "/user/pia/la"):
            assert browser.get(path).json()["path"] == path
        with WebSocket(hub, "/user/pia/lab", cookie(pass_of(browser, "/user/pia/"))) as line:
            assert line.opened == 101
        assert hub.ask("DELETE", "users/pia/servers/lab", json={"remove": True}).status_code in (202, 204)
        until(lambda: not hub.server("pia", "lab"), "it is gone")
        # Where no server has the name, the default server's page of that name is its own again.
        answer = browser.get("/user/pia/lab", headers=HTML, follow_redirects=True)
        assert answer.json()["path"].startswith("/user/pia/lab?")
        assert browser.get("/user/pia/lab").json()["path"] == "/user/pia/lab"


def test_beside_a_default_server_that_asks_by_itself_the_address_without_a_slash_is_that_ones(
    hub: RunningHub,
) -> None:
    """JupyterLab's page is `lab`."""
    start(hub, "liv", profile="asking")
    start(hub, "liv", "lab")
    with hub.client() as client:
        assert client.get("/user/liv/lab", headers=HTML).json()["path"] == "/user/liv/lab"
