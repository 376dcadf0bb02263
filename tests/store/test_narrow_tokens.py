"""A token narrowed to one thing never reads or changes another: every scope, every filter, every route.

All of it is tried, through the real application over a real database. What belongs to `ada`,
`team`, `ada/lab` and the service `mine` is within the filters; everything of `bob`, `other`,
`bob/lab` and `theirs` is foreign. The token's owner is an administrator, so that only the
filter stands between the token and the rest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from apphub.access.scopes import SCOPES
from apphub.app import build_app
from apphub.db import tables as t
from apphub.web.needs import Need, public, signed_in, visitor
from fakes.inside import BY, Inside, open_inside

FILTERS = ("user=ada", "group=team", "server=ada/lab", "service=mine")
#: Names of foreign things, none of which may stand in an answer.
FOREIGN = ("bob", "zeus-other", "theirs")
#: What each parameter of a path is when the path leads to something foreign.
PARAMETERS = {
    "user": "bob",
    "server": "lab",
    "group": "zeus-other",
    "service": "theirs",
    "profile": "closed",
    "binding": "1",
}
#: Columns that the hub itself moves while requests come in.
MOVING = {"last_used", "last_activity", "lease", "lease_until", "due"}


class Try(NamedTuple):
    """One request that reaches for something foreign."""

    method: str
    path: str
    body: Any


def _bodies(method: str, path: str) -> list[Any]:
    if method in ("GET", "HEAD"):
        return [None]
    bodies: list[Any] = [None, {}]
    if path.endswith("/users") and "groups" in path:
        bodies.append({"users": ["bob"]})
    elif path.endswith("/hub/api/users"):
        bodies.append({"usernames": ["eve"]})
    elif path.endswith("/hub/api/groups"):
        bodies.append({"groups": ["new"], "users": ["bob"]})
    elif path.endswith("/properties"):
        bodies.append({"changed": True})
    elif path.endswith("/activity"):
        bodies.append({"last_activity": "2026-01-01T00:00:00Z"})
    elif "/shares/" in path:
        bodies.append({"user": "eve", "scopes": ["access:servers"]})
    elif path.endswith("/tokens"):
        bodies.append({"note": "mine"})
    elif method == "PATCH":
        bodies += [{"name": "taken"}, {"admin": True}, {"display_name": "changed"}]
    elif method == "DELETE":
        bodies.append({"remove": True})
    return bodies


def tries(hub: Inside) -> list[Try]:
    """Every route that names something, with foreign names; and the lists and collections."""
    found = []
    for route in build_app(hub.hub).routes:
        for handler in route.route_handlers:
            need = next((guard for guard in handler.guards or () if isinstance(guard, Need)), None)
            parts = [part if isinstance(part, str) else part.name for part in route.path_components]
            named = {name for name in PARAMETERS if name in parts and f"{{{name}:" in route.path}
            if need is None or isinstance(need, visitor) or not route.path.startswith("/hub/"):
                continue  # pages take no tokens: there is nothing to narrow
            if isinstance(need, public | signed_in) and not named and "/hub/api/" not in route.path:
                continue
            path = "/" + "/".join(
                PARAMETERS.get(part, "x") if f"{{{part}:" in route.path else part for part in parts
            )
            found += [
                Try(str(method), path, body)
                for method in handler.http_methods
                if str(method) not in ("OPTIONS", "HEAD")
                for body in _bodies(str(method), path)
            ]
    return found


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Inside]:
    services = [
        {"name": "mine", "api_token": "token-of-mine-0123456789"},
        {"name": "theirs", "api_token": "token-of-theirs-01234567", "info": {"secret": "theirs"}},
    ]
    async with open_inside(tmp_path, services=services) as inside:
        root, hub = await inside.actor(), inside.hub
        await hub.people.create(root, BY, ["ada", "bob", "eve"], admin=False)
        await hub.people.create_groups(root, BY, {"team": ["ada"], "zeus-other": ["bob"]})
        token = await inside.token()
        for user in ("ada", "bob"):
            made = await inside.ask("PUT", f"/hub/api/users/{user}/servers/lab", token=token)
            assert made.status_code == 201, made.text
            await inside.token(user)
        yield inside


async def _state(inside: Inside) -> dict[str, list[tuple[Any, ...]]]:
    state = {}
    async with inside.hub.db.read() as tx:
        for table in t.metadata.sorted_tables:
            if table.name in ("audit", "login_failures"):
                continue
            kept = [column for column in table.c if column.name not in MOVING]
            state[table.name] = [tuple(row) for row in await tx.execute(sa.select(*kept))]
    return state


def _harmless(attempt: Try) -> bool:
    """Answers of success that tell or change nothing foreign: who the caller is, what the hub is."""
    if attempt.path.endswith("/validate"):
        return True  # a dry run of a start of the caller's own
    return attempt.path in (
        "/hub/api",
        "/hub/api/health",
        "/hub/api/user",
        "/hub/api/profiles",
        "/hub/api/openapi.json",
        "/hub/api/share-codes/accept",
    )


@pytest.mark.timeout(900)  # some thirty thousand requests
async def test_a_narrow_token_reaches_nothing_foreign_by_any_route(place: Inside) -> None:
    every = tries(place)
    assert len(every) > 60, "the routes were not found"
    reached: list[str] = []
    tokens = {
        f"{scope}!{narrowing}": await place.token("root", f"{scope}!{narrowing}")
        for scope in SCOPES
        for narrowing in FILTERS
        if not scope.startswith(("shutdown", "admin-ui", "read:hub", "proxy", "read:metrics"))
    }
    before = await _state(place)
    for scope, token in tokens.items():
        for attempt in every:
            answer = await place.ask(attempt.method, attempt.path, token=token, body=attempt.body)
            what = f"{scope}: {attempt.method} {attempt.path} {attempt.body} -> {answer.status_code}"
            assert answer.status_code < 500, f"{what} {answer.text}"
            if answer.status_code < 300 and not _harmless(attempt):
                said = answer.text
                listing = attempt.method == "GET" and not any(
                    f"/{name}" in attempt.path for name in PARAMETERS.values()
                )
                if not listing or any(f'"{name}' in said for name in FOREIGN):
                    reached.append(f"{what} {said[:200]}")
        after = await _state(place)
        assert after == before, f"changed with {scope}"
    assert reached == []


async def test_the_same_scopes_reach_what_their_filter_names(place: Inside) -> None:
    # Without this, a hub that refuses everything would pass the test above.
    for scope, method, path, status in (
        ("read:users!user=ada", "GET", "users/ada", 200),
        ("read:users!group=team", "GET", "users/ada", 200),
        ("read:servers!server=ada/lab", "GET", "users/ada/servers/lab", 200),
        ("groups!group=team", "GET", "groups/team", 200),
        ("read:services!service=mine", "GET", "services/mine", 200),
        ("read:tokens!user=ada", "GET", "users/ada/tokens", 200),
        ("admin:users!user=ada", "PATCH", "users/ada", 200),
        ("tokens!user=ada", "POST", "users/ada/tokens", 201),
        ("list:users!group=team", "GET", "users", 200),
        ("delete:groups!group=team", "DELETE", "groups/team", 204),
        ("delete:users!user=ada", "DELETE", "users/ada", 204),
    ):
        token = await place.token("root", scope)
        body = {} if method in ("PATCH", "POST") else None
        answer = await place.ask(method, f"/hub/api/{path}", token=token, body=body)
        assert answer.status_code == status, (scope, path, answer.text)


async def test_a_missing_thing_and_a_foreign_one_look_the_same(place: Inside) -> None:
    token = await place.token(
        "root", "read:users!user=ada", "read:groups!group=team", "read:servers!user=ada"
    )
    for foreign, missing in (
        ("users/bob", "users/nobody"),
        ("groups/zeus-other", "groups/nothing"),
        ("users/bob/servers/lab", "users/nobody/servers/lab"),
    ):
        answers = [await place.ask("GET", f"/hub/api/{path}", token=token) for path in (foreign, missing)]
        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[0].json() == answers[1].json()


async def test_a_person_reaches_nothing_of_another(place: Inside) -> None:
    token = await place.token("ada")
    before = await _state(place)
    for attempt in tries(place):
        answer = await place.ask(attempt.method, attempt.path, token=token, body=attempt.body)
        assert answer.status_code < 500, (attempt, answer.text)
        if answer.status_code < 300:
            assert not any(f'"{name}' in answer.text for name in FOREIGN), (attempt, answer.text)
            assert _harmless(attempt) or attempt.method == "GET", (attempt, answer.text)
    assert await _state(place) == before


async def test_nobody_without_a_token_gets_anything(place: Inside) -> None:
    before = await _state(place)
    for attempt in tries(place):
        for token in (None, "not-a-token"):
            answer = await place.ask(attempt.method, attempt.path, token=token, body=attempt.body)
            assert answer.status_code < 500, (attempt, answer.text)
            assert answer.status_code >= 300 or _harmless(attempt), (attempt, answer.text)
    assert await _state(place) == before
