"""Who asks is told what is true: an answer that was kept never outlives what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from apphub.db import Database
from apphub.db.kept import LIFE, Kept
from fakes.inside import Inside, open_inside

SEEN = "2026-01-02T03:04:05Z"
#: What is done to ada, one after the other: the request, and the part of her answer that must then be so.
CHANGES: list[tuple[str, str, Any, Callable[[dict[str, Any]], bool]]] = [
    ("POST", "groups/team/users", {"users": ["ada"]}, lambda ada: ada["groups"] == ["team"]),
    ("POST", "groups/team/users", {"users": ["ada"]}, lambda ada: "access:servers" in ada["scopes"]),
    ("DELETE", "groups/team/users", {"users": ["ada"]}, lambda ada: ada["groups"] == []),
    ("POST", "users/ada/activity", {"last_activity": SEEN}, lambda ada: ada["last_activity"] >= SEEN),
    ("PATCH", "users/ada", {"admin": True}, lambda ada: ada["admin"] and "admin" in ada["roles"]),
    ("PATCH", "users/ada", {"admin": False}, lambda ada: "admin:users" not in ada["scopes"]),
    ("PATCH", "users/ada", {"name": "eva"}, lambda ada: ada["name"] == "eva"),
    ("PATCH", "users/eva", {"name": "ada"}, lambda ada: ada["name"] == "ada"),
]


@asynccontextmanager
async def _hub(folder: Path, url: str | None) -> AsyncGenerator[Inside]:
    roles = [{"name": "watchers", "scopes": ["access:servers"], "groups": ["team"]}]
    settings: dict[str, Any] = {"roles": roles, "groups": {"team": {}}}
    if url is not None:
        settings["database"] = url
    folder.mkdir()
    async with open_inside(folder, **settings) as inside:
        yield inside


async def _ask(inside: Inside, token: str) -> dict[str, Any]:
    answer = await inside.ask("GET", "/hub/api/user", token=token)
    assert answer.status_code == 200, answer.text
    model: dict[str, Any] = answer.json()
    return model


async def _takes(look: Callable[[], Awaitable[bool]]) -> float:
    began = time.monotonic()
    while not await look():
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_a_value_is_kept_until_anything_is_written(db: Database, monkeypatch: Any) -> None:
    kept: Kept[str] = Kept(db.changes)
    count = db.changes.count
    kept.keep("ada", "true", count)
    assert kept.find("ada") == "true"
    async with db.write():
        pass
    assert kept.find("ada") is None
    kept.keep("ada", "read before it was written", count)
    assert kept.find("ada") is None
    kept.keep("ada", "true", db.changes.count)
    later = time.monotonic() + LIFE
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert kept.find("ada") is None


async def test_an_answer_that_was_kept_changes_with_what_it_tells(
    database_url: str | None, tmp_path: Path
) -> None:
    async with _hub(tmp_path / "one", database_url) as inside:
        root = await inside.token()
        await inside.ask("POST", "/hub/api/users/ada", token=root)
        token = await inside.token("ada")
        for method, path, body, so in CHANGES:
            assert await _ask(inside, token) == await _ask(inside, token)
            done = await inside.ask(method, f"/hub/api/{path}", token=root, body=body)
            assert done.status_code < 300, done.text
            assert so(await _ask(inside, token)), (method, path)
        assert (await inside.ask("DELETE", "/hub/api/users/ada", token=root)).status_code == 204
        assert (await inside.ask("GET", "/hub/api/user", token=token)).status_code == 403


async def test_a_second_token_is_never_answered_with_what_was_kept_for_the_first(tmp_path: Path) -> None:
    async with _hub(tmp_path / "one", None) as inside:
        await inside.ask("POST", "/hub/api/users/ada", token=await inside.token())
        whole, narrow = await inside.token("ada"), await inside.token("ada", "read:users:name!user")
        for token in (whole, narrow):
            await _ask(inside, token)  # the first use of each is written down
        answers = [await _ask(inside, token) for token in (whole, narrow, whole, narrow)]
        assert answers[0] == answers[2]
        assert answers[1] == answers[3]
        assert answers[0]["token_id"] != answers[1]["token_id"]
        assert "servers" in answers[0]
        assert "servers" not in answers[1]
        root = await inside.token()
        theirs = await _ask(inside, root)
        own = await inside.ask("GET", "/hub/api/user?own_scopes=1", token=root)
        assert set(own.json()["scopes"]) > set(theirs["scopes"])


async def test_what_one_replica_writes_shows_in_the_kept_answer_of_another_within_a_second(
    postgres_url: str, tmp_path: Path
) -> None:
    async with _hub(tmp_path / "one", postgres_url) as one, _hub(tmp_path / "two", postgres_url) as two:
        root = await one.token()
        await one.ask("POST", "/hub/api/users/ada", token=root)
        token = await one.token("ada")
        for method, path, body, so in CHANGES:
            await _ask(two, token)  # kept from now on

            async def shows(so: Callable[[dict[str, Any]], bool] = so) -> bool:
                return so(await _ask(two, token))

            done = await one.ask(method, f"/hub/api/{path}", token=root, body=body)
            assert done.status_code < 300, done.text
            assert await _takes(shows) < LIFE + 0.5, (method, path)
        await one.ask("DELETE", "/hub/api/users/ada", token=root)

        async def refused() -> bool:
            return (await two.ask("GET", "/hub/api/user", token=token)).status_code == 403

        assert await _takes(refused) < 1
