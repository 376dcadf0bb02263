"""What the doors add: credentials counted once, forged requests refused, secrets never repeated, homes of errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from apphub.servers.model import Ask, ServerKey
from fakes.inside import BY, ORIGIN, Inside, open_inside

PASSWORD = "a good password"


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncGenerator[Inside]:
    roles = [
        {"name": "teachers", "scopes": ["access:servers!group=team", "list:users"], "users": ["tom"]},
        {"name": "watchers", "scopes": ["read:servers", "admin:server_state!group=team"], "users": ["tom"]},
    ]
    async with open_inside(tmp_path, roles=roles) as hub:
        root = await hub.actor()
        await hub.hub.people.create(root, BY, ["ada", "bob"], admin=False)
        await hub.hub.people.create_groups(root, BY, {"team": ["ada"], "others": ["tom"]})
        await hub.hub.login.set_password(BY, "ada", PASSWORD)
        yield hub


async def _sign_in(
    inside: Inside, name: str = "ada", goal: str = ""
) -> tuple[dict[str, str], httpx.Response]:
    """The cookies of a browser that has signed in, and the answer that gave them."""
    page = await inside.ask("GET", "/hub/login")
    anonymous = page.cookies["_xsrf"]
    answer = await inside.ask(
        "POST",
        f"/hub/login{goal}",
        data={"username": name, "password": PASSWORD, "_xsrf": anonymous},
        headers={"cookie": f"_xsrf={anonymous}", "origin": ORIGIN},
    )
    return dict(answer.cookies), answer


def _cookie(cookies: dict[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def test_signing_in_leads_on_within_this_host_only(inside: Inside) -> None:
    for goal, place in (
        ("", "/hub/home"),
        ("?next=/hub/token", "/hub/token"),
        ("?next=//evil.example", "/hub/home"),
        ("?next=https://evil.example/", "/hub/home"),
        ("?next=/%5Cevil.example", "/hub/home"),
        ("?next=%09//evil.example", "/hub/home"),
        ("?next=javascript:alert(1)", "/hub/home"),
    ):
        cookies, answer = await _sign_in(inside, goal=goal)
        assert answer.status_code == 302
        assert answer.headers["location"] == place, goal
        assert "jupyterhub-hub-login" in cookies


async def test_cookies_are_closed_to_scripts_and_no_secret_is_in_the_page(inside: Inside) -> None:
    cookies, answer = await _sign_in(inside)
    set_cookies = answer.headers.get_list("set-cookie")
    [login] = [one for one in set_cookies if one.startswith("jupyterhub-hub-login=")]
    assert "httponly" in login.lower()
    assert "path=/hub/" in login.lower()
    home = await inside.ask("GET", "/hub/home", headers=_cookie(cookies))
    assert home.status_code == 200
    assert cookies["jupyterhub-hub-login"] not in home.text
    assert home.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in " ".join(home.headers.get_list("content-security-policy"))


@pytest.mark.parametrize(
    "headers",
    [
        {},  # without the value
        {"x-xsrftoken": "forged"},
        {"origin": "https://evil.example", "x-xsrftoken": "OWN"},
        {"sec-fetch-site": "cross-site", "x-xsrftoken": "OWN"},
        {"sec-fetch-site": "same-site", "x-xsrftoken": "OWN"},
        {"sec-fetch-mode": "no-cors", "sec-fetch-site": "cross-site"},
        {"x-xsrftoken": "OWN", "content-type": "text/plain"},
        {"x-xsrftoken": "OWN", "content-type": "application/x-www-form-urlencoded"},
    ],
)
async def test_no_foreign_page_changes_anything_with_a_visitors_cookie(
    inside: Inside, headers: dict[str, str]
) -> None:
    cookies, _ = await _sign_in(inside)
    own = {key: cookies["_xsrf"] if value == "OWN" else value for key, value in headers.items()}
    answer = await inside.ask("POST", "/hub/api/users/ada/tokens", headers={**_cookie(cookies), **own})
    assert answer.status_code == 403, answer.text
    assert await inside.hub.access.tokens_of("ada") == []
    good = {**_cookie(cookies), "x-xsrftoken": cookies["_xsrf"], "sec-fetch-site": "same-origin"}
    assert (await inside.ask("POST", "/hub/api/users/ada/tokens", headers=good)).status_code == 201


async def test_another_sign_ins_value_does_not_fit(inside: Inside) -> None:
    cookies, _ = await _sign_in(inside)
    theirs, _ = await _sign_in(inside)
    tossed = {**cookies, "_xsrf": theirs["_xsrf"]}
    headers = {**_cookie(tossed), "x-xsrftoken": theirs["_xsrf"]}
    assert (await inside.ask("POST", "/hub/api/users/ada/tokens", headers=headers)).status_code == 403
    form = {"_xsrf": theirs["_xsrf"], "note": "x"}
    assert (await inside.ask("POST", "/hub/token", data=form, headers=_cookie(tossed))).status_code == 403


async def test_a_bad_token_is_not_made_good_by_a_cookie(inside: Inside) -> None:
    cookies, _ = await _sign_in(inside)
    assert (await inside.ask("GET", "/hub/api/user", headers=_cookie(cookies))).status_code == 200
    for header in ("token wrong", "Bearer wrong", "token", "Bearer  ", "token a b"):
        headers = {**_cookie(cookies), "authorization": header}
        assert (await inside.ask("GET", "/hub/api/user", headers=headers)).status_code == 403, header


async def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(inside: Inside) -> None:
    cookies, _ = await _sign_in(inside)
    form = {"_xsrf": cookies["_xsrf"]}
    assert (await inside.ask("POST", "/hub/logout", data=form, headers=_cookie(cookies))).status_code == 302
    assert (await inside.ask("GET", "/hub/api/user", headers=_cookie(cookies))).status_code == 403
    home = await inside.ask("GET", "/hub/home", headers=_cookie(cookies))
    assert home.status_code == 302
    assert parse_qs(urlsplit(home.headers["location"]).query) == {"next": ["/hub/home"]}


async def test_pages_take_no_tokens_and_no_service_is_taken_for_the_person_of_its_name(
    tmp_path: Path,
) -> None:
    services = [{"name": "ada", "api_token": "the-service-called-ada"}]
    async with open_inside(tmp_path, services=services) as inside:
        await inside.hub.people.create(await inside.actor(), BY, ["ada"], admin=False)
        mine = await inside.token("ada")
        for token in ("the-service-called-ada", mine):
            for path in ("/hub/home", "/hub/token", "/hub/spawn"):
                answer = await inside.ask("GET", path, token=token)
                assert answer.status_code in (302, 403), path
                assert "/login" in answer.headers.get("location", "/login"), path
        answer = await inside.ask("GET", "/hub/api/users/ada", token="the-service-called-ada")
        assert answer.status_code == 403


async def test_a_path_is_matched_before_it_is_decoded(inside: Inside) -> None:
    token = await inside.token()
    for path, status in (
        ("/hub/api/users/ada%2Fserver", 404),
        ("/hub/api/users/%2e%2e/", 404),
        ("/hub/api/users/ada%00", 404),
        ("/hub/api/users/%FF", 404),
        ("/hub/api//users", 404),
        ("/hub/api/users/ada/", 404),
        ("/hub/api/users/ad%61", 200),
    ):
        assert (await inside.ask("GET", path, token=token)).status_code == status, path
    before = await inside.hub.servers.find(ServerKey("ada", ""))
    assert (await inside.ask("POST", "/hub/api/users/ada%2Fserver", token=token)).status_code == 400
    assert await inside.hub.servers.find(ServerKey("ada", "")) == before


async def test_a_host_that_is_no_host_is_refused(inside: Inside) -> None:
    token = await inside.token("tom")
    for host, status in (("hub.example:8000", 200), ("[::1]", 200), ("hub example", 400), ('a"b', 400)):
        answer = await inside.ask("GET", "/hub/api/user", token=token, headers={"host": host})
        assert answer.status_code == status, host


async def test_an_address_of_the_client_is_believed_from_the_edge_alone(inside: Inside) -> None:
    from apphub.app import build_app, server_door

    body = {"username": "ada", "password": "wrong"}
    for _ in range(3):
        await inside.ask(
            "POST",
            "/hub/api/authorizations/token",
            body=body,
            headers={"x-forwarded-for": "6.6.6.6, 192.0.2.9"},
        )
    door = server_door(build_app(inside.hub), inside.hub)
    transport = httpx.ASGITransport(app=door, client=("127.0.0.1", 5))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        await client.post(
            "/hub/api/authorizations/token", json=body, headers={"x-forwarded-for": "198.51.100.1"}
        )
    async with inside.hub.db.read() as tx:
        import sqlalchemy as sa

        from apphub.db import tables as t

        keys = set((await tx.execute(sa.select(t.login_failures.c.key))).scalars())
    assert {"address:192.0.2.9", "address:127.0.0.1"} <= keys
    assert not {"address:6.6.6.6", "address:198.51.100.1"} & keys


async def test_a_server_learns_that_its_visitor_may_come_by_a_group_of_its_owner(inside: Inside) -> None:
    for name in ("ada", "bob"):
        await inside.hub.servers.create(BY, ServerKey(name, "lab"), Ask())
    scopes = ["access:servers!server=ada/lab"]
    made = await inside.hub.access.create_token(
        await inside.actor("tom"), BY, "tom", scopes=["access:servers!group=team"], note="", life=None
    )
    answer = await inside.ask("GET", "/hub/api/user", token=made.secret)
    assert "access:servers!group=team" in answer.json()["scopes"]
    from apphub.access import store
    from apphub.access.model import NewToken
    from apphub.kit import clock

    tom = await inside.hub.people.person("tom")
    async with inside.hub.db.write() as tx:  # as the provider writes it
        new = NewToken(secret="of-ada", user_id=tom.id, scopes=scopes)
        await store.insert_token(tx, new, clock.now())
        new = NewToken(secret="of-bob", user_id=tom.id, scopes=["access:servers!server=bob/lab"])
        await store.insert_token(tx, new, clock.now())
    assert scopes[0] in (await inside.ask("GET", "/hub/api/user", token="of-ada")).json()["scopes"]
    told = (await inside.ask("GET", "/hub/api/user", token="of-bob")).json()["scopes"]
    assert not any(scope.startswith("access:") for scope in told)


async def test_the_state_of_a_server_is_shown_by_the_groups_of_its_owner_not_of_who_asks(
    inside: Inside,
) -> None:
    token = await inside.token("tom")
    for name, shown in (("ada", True), ("bob", False)):
        await inside.hub.servers.create(BY, ServerKey(name, "lab"), Ask())
        answer = await inside.ask("GET", f"/hub/api/users/{name}/servers/lab", token=token)
        assert answer.status_code == 200
        assert ("state" in answer.json()) == shown, name
    await inside.hub.people.add_members(await inside.actor(), BY, "team", ["tom"])
    answer = await inside.ask("GET", "/hub/api/users/bob/servers/lab", token=token)
    assert "state" not in answer.json()


async def test_the_secret_of_a_token_is_told_once(inside: Inside) -> None:
    token = await inside.token("ada")
    made = await inside.ask("POST", "/hub/api/users/ada/tokens", token=token, body={"note": "mine"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    secret = made.json()["token"]
    for path in ("users/ada/tokens", f"users/ada/tokens/{made.json()['id']}", "users/ada", "user"):
        answer = await inside.ask("GET", f"/hub/api/{path}", token=token)
        assert secret not in answer.text
        assert not re.search(r'"token"\s*:', answer.text), path


async def test_a_fault_of_ours_says_nothing_but_its_name(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr(type(inside.hub.views), "find_account", broken)
    token = await inside.token()
    for path in ("/hub/api/users/ada", "/hub/api/users/ada/server"):
        answer = await inside.ask("GET", path, token=token)
        assert answer.status_code == 500
        assert "secret inside" not in answer.text
        assert answer.headers["x-request-id"]


async def test_a_stream_of_progress_ends_when_the_hub_is_told_to_end(tmp_path: Path) -> None:
    limits = {"servers": 1}
    async with open_inside(tmp_path, runtime="none", limits=limits) as inside:
        token = await inside.token()
        for name in ("runs", "waits"):
            await inside.hub.servers.start(BY, ServerKey("root", name), Ask())
        path = "/hub/api/users/root/servers/waits/progress"
        asking = asyncio.create_task(inside.ask("GET", path, token=token))
        done, _ = await asyncio.wait([asking], timeout=2)
        assert not done
        inside.hub.stopping.set()
        answer = await asyncio.wait_for(asking, 10)
        assert answer.status_code == 200
        assert '"queue"' in answer.text
        assert '"ready"' not in answer.text
        assert '"failed"' not in answer.text
