"""Who may no longer visit is out within two seconds, whatever the reason; everybody else notices nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from guarding import (
    WebSocket,
    cookie,
    echoing,
    let_in,
    part,
    pass_of,
    questions,
    share,
    signed_in,
    start,
)

from hubs import RunningHub, until

#: What is promised for requests, and how long streams may take: the edge looks once a second at what moves.
PROMISED, STREAMS = 2.0, 4.0
LAB = "/user/ada/lab/"


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    roles = [
        {"name": "visitors", "scopes": ["access:servers"], "groups": ["staff"]},
        {"name": "teachers", "scopes": ["access:servers!group=class"], "groups": ["teachers"]},
    ]
    groups = {name: {} for name in ("analysts", "staff", "teachers")} | {"class": {"members": ["ada"]}}
    with RunningHub({**echoing(), "roles": roles, "groups": groups}) as hub:
        start(hub, "ada", "lab")
        yield hub


@pytest.fixture
def ada(hub: RunningHub) -> Iterator[httpx.Client]:
    with signed_in(hub, "ada", LAB) as browser:
        yield browser


@pytest.fixture
def bob(hub: RunningHub) -> Iterator[str]:
    hub.ask("POST", "users/bob")
    yield "bob"
    hub.ask("DELETE", "users/bob")
    hub.ask("DELETE", "shares/ada/lab")


def group(hub: RunningHub, method: str, name: str, user: str = "bob") -> None:
    answer = hub.ask(method, f"groups/{name}/users", json={"users": [user]})
    assert answer.status_code == 200, answer.text


def visits(hub: RunningHub, held: str, path: str = LAB) -> bool:
    """Whether somebody with this pass, and nothing else, reaches the app."""
    with hub.client() as client:
        answer = client.get(path, headers=cookie(held))
    assert answer.status_code in (200, 302, 401, 403), answer.status_code
    return answer.status_code == 200 and "headers" in answer.text


def out_after(hub: RunningHub, held: str, path: str = LAB) -> float:
    """Seconds until the pass opens nothing any more."""
    began = time.monotonic()
    until(lambda: not visits(hub, held, path), "the visitor is out", within=10)
    return time.monotonic() - began


Way = Callable[[RunningHub, httpx.Client], None]


def by_share(hub: RunningHub, **more: object) -> None:
    share(hub, "ada", "lab", {"user": "bob", **more})


WAYS: dict[str, tuple[Callable[[RunningHub], None], Way]] = {
    "signs out": (by_share, lambda _, browser: _signs_out(browser)),
    "the share is taken back": (
        by_share,
        lambda hub, _: _deleted(hub, "shares/ada/lab?user=bob"),
    ),
    "every share is taken back": (by_share, lambda hub, _: _deleted(hub, "shares/ada/lab")),
    "the user is deleted": (by_share, lambda hub, _: _deleted(hub, "users/bob")),
    "leaves the group it is shared with": (
        lambda hub: (group(hub, "POST", "analysts"), share(hub, "ada", "lab", {"group": "analysts"}))[1],
        lambda hub, _: group(hub, "DELETE", "analysts"),
    ),
    "loses a role": (
        lambda hub: group(hub, "POST", "staff"),
        lambda hub, _: group(hub, "DELETE", "staff"),
    ),
    "loses a role that is for owners of a group": (
        lambda hub: group(hub, "POST", "teachers"),
        lambda hub, _: group(hub, "DELETE", "teachers"),
    ),
}


def _signs_out(browser: httpx.Client) -> None:
    assert browser.get("hub/logout").status_code in (200, 302)


def _deleted(hub: RunningHub, path: str) -> None:
    answer = hub.ask("DELETE", path)
    assert answer.status_code in (200, 204), answer.text


@pytest.mark.parametrize("way", WAYS)
def test_who_may_no_longer_visit_is_out_within_two_seconds(
    hub: RunningHub, ada: httpx.Client, bob: str, way: str, record_property: Callable[[str, object], None]
) -> None:
    grant, revoke = WAYS[way]
    grant(hub)
    with signed_in(hub, bob, LAB) as browser:
        theirs, owners = pass_of(browser, LAB), pass_of(ada, LAB)
        assert visits(hub, theirs)
        before = questions(hub)
        assert visits(hub, theirs)
        assert questions(hub) == before, "the pass alone was enough"

        revoke(hub, browser)
        seconds = out_after(hub, theirs)
        record_property("seconds", seconds)
        assert seconds < PROMISED, f"after {seconds:.2f} s"

        before = questions(hub)
        for _ in range(20):
            assert visits(hub, owners)
        assert questions(hub) == before, "the owner goes on without a question"


def test_rights_by_the_owners_group_survive_a_review_of_all_passes(hub: RunningHub, bob: str) -> None:
    group(hub, "POST", "teachers")
    with signed_in(hub, bob, LAB) as browser:
        theirs = pass_of(browser, LAB)
        hub.ask("POST", "users/cyd")
        hub.ask("DELETE", "users/cyd")  # rights have changed, those of others
        time.sleep(0.5)
        before = questions(hub)
        assert visits(hub, theirs)
        assert questions(hub) == before


def test_a_stopped_server_is_out_of_reach_at_once_and_its_passes_do_not_open_the_next(
    hub: RunningHub, ada: httpx.Client
) -> None:
    start(hub, "ada", "brief")
    path = "/user/ada/brief/"
    let_in(ada, path)
    held = pass_of(ada, path)
    assert visits(hub, held, path)
    began = time.monotonic()
    assert hub.ask("DELETE", "users/ada/servers/brief", json={"remove": True}).status_code in (202, 204)
    until(lambda: not visits(hub, held, path), "out of reach", within=10)
    assert time.monotonic() - began < PROMISED
    until(lambda: not hub.server("ada", "brief"), "the server is gone")
    start(hub, "ada", "brief")
    before = questions(hub)
    with hub.client() as client:
        # Another server of the same name: the pass of the one before asks, and the sign-in does not count.
        assert client.get(path, headers=cookie(held)).status_code in (302, 401)
    assert questions(hub) == before + 1


def test_somebody_let_in_again_is_let_in_again(hub: RunningHub, bob: str) -> None:
    by_share(hub)
    with signed_in(hub, bob, LAB) as browser:
        theirs = pass_of(browser, LAB)
        _deleted(hub, "shares/ada/lab?user=bob")
        out_after(hub, theirs)
        by_share(hub)
        assert let_in(browser, LAB).status_code == 200
        again = pass_of(browser, LAB)
        until(lambda: _without_question(hub, again), "the pass alone is enough", within=5)
        with WebSocket(hub, f"{LAB}ws", cookie(again)) as line:
            time.sleep(1.2)
            assert line.ask("hello again") == "hello again"


def _without_question(hub: RunningHub, held: str) -> bool:
    before = questions(hub)
    return visits(hub, held) and questions(hub) == before


def test_more_than_the_list_holds_are_out_together_and_the_rest_notices_nothing(
    hub: RunningHub, ada: httpx.Client, bob: str
) -> None:
    by_share(hub)
    held = []
    for _ in range(66):
        with signed_in(hub, bob, LAB) as browser:
            held.append(pass_of(browser, LAB))
    before = part(pass_of(ada, LAB), 1)["ep"]
    began = time.monotonic()
    _deleted(hub, "shares/ada/lab?user=bob")
    until(lambda: not visits(hub, held[-1]), "out", within=10)
    assert time.monotonic() - began < PROMISED
    assert not any(visits(hub, one) for one in held)
    answer = ada.get(LAB)
    assert answer.status_code == 200, "no redirect: a new pass comes with the answer"
    assert int(part(pass_of(ada, LAB), 1)["ep"]) == int(before) + 1
    assert _without_question(hub, pass_of(ada, LAB))


def _until_silent(lines: Iterator[str], by: float) -> None:
    """Until events stop coming, whose reader then gives up after a while."""
    with contextlib.suppress(httpx.ReadTimeout):
        for _ in lines:
            assert time.monotonic() < by, "events go on"


def test_open_websockets_and_events_of_who_may_no_longer_visit_end(
    hub: RunningHub, ada: httpx.Client, bob: str, record_property: Callable[[str, object], None]
) -> None:
    by_share(hub)
    with signed_in(hub, bob, LAB) as browser:
        theirs, owners = cookie(pass_of(browser, LAB)), cookie(pass_of(ada, LAB))
        with (
            WebSocket(hub, f"{LAB}ws", theirs) as gone,
            WebSocket(hub, f"{LAB}ws", owners) as stays,
            hub.client() as client,
            client.stream(
                "GET", f"{LAB}events", headers={**theirs, "accept": "text/event-stream"}, timeout=3
            ) as events,
        ):
            lines = events.iter_lines()
            assert next(lines).startswith("data: ")
            assert gone.ask("hello") == "hello"
            _deleted(hub, "shares/ada/lab?user=bob")
            began = time.monotonic()
            until(lambda: gone.ask("still?") is None, "the websocket has ended", within=10)
            seconds = time.monotonic() - began
            record_property("seconds", seconds)
            assert seconds < STREAMS
            _until_silent(lines, began + STREAMS)
            for _ in range(3):
                assert stays.ask("I stay") == "I stay"


def test_a_share_that_ends_by_itself_ends_for_requests_and_for_what_is_open(
    hub: RunningHub, bob: str
) -> None:
    """The shortest share there is lasts a minute."""
    by_share(hub, expires_in=60)
    end = time.monotonic() + 60
    with signed_in(hub, bob, LAB) as browser:
        theirs = pass_of(browser, LAB)
        with WebSocket(hub, f"{LAB}ws", cookie(theirs)) as line:
            assert line.ask("hello") == "hello"
            until(lambda: not visits(hub, theirs), "the visitor is out", within=90)
            # A pass ends with a whole second.
            assert -1.5 < time.monotonic() - end < PROMISED
            until(lambda: line.ask("still?") is None, "the websocket has ended", within=20)
            assert time.monotonic() - end < 12
