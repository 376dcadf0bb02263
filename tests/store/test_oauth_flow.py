"""The code grant: what a client is told, what it gets for it, and what it is refused."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, UnsupportedGrantTypeError

from apphub.access.actor import Actor
from apphub.db import Database
from apphub.kit import clock
from apphub.oauth.actions import CODE_LIFE, BadRequest, NoAccess, Provider, Refused
from fakes.people import BY, Town

SECRET = "secret-of-the-wiki-0123456789"
OTHER = "secret-of-another-0123456789"
ORIGIN = "https://hub.example"
BACK = "https://wiki.example/back"
SERVICES = [
    {
        "name": "wiki",
        "api_token": SECRET,
        "oauth_redirect_uri": BACK,
        "oauth_client_allowed_scopes": ["read:users!user", "admin:users", "list:groups"],
    },
    {"name": "other", "api_token": OTHER, "oauth_redirect_uri": "/services/other/oauth_callback"},
]
VISITS = {"name": "user", "scopes": ["self", "access:services!service=wiki", "access:services!service=other"]}
ASK = {"client_id": "service-wiki", "redirect_uri": BACK, "response_type": "code", "state": "s&t=1"}


@pytest.fixture
async def place(db: Database) -> Town:
    town = await Town.of(db, services=SERVICES, roles=[VISITS])
    await town.add("ada")
    return town


@pytest.fixture
def provider(db: Database) -> Provider:
    return Provider(db, timedelta(days=1))


async def _visitor(town: Town, name: str = "ada") -> tuple[Actor, str]:
    person = await town.people.person(name)
    session = await town.access.start_session(BY, person.id, timedelta(days=1))
    actor = await town.access.by_session(session.secret)
    assert actor is not None
    return actor, session.secret


async def _code(town: Town, provider: Provider, **params: str) -> str:
    actor, _ = await _visitor(town)
    authorization = await provider.check({**ASK, **params}, actor, ORIGIN)
    location = await provider.grant(authorization, actor, BY)
    answer = parse_qs(urlsplit(location).query)
    assert answer["state"] == ["s&t=1"]
    return answer["code"][0]


def _trade(code: str, **form: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": "service-wiki",
        "client_secret": SECRET,
        "redirect_uri": BACK,
        "code": code,
        **form,
    }


async def test_a_code_is_traded_for_a_token_of_what_the_visitor_holds(
    place: Town, provider: Provider
) -> None:
    code = await _code(place, provider)
    given = await provider.exchange(_trade(code), ORIGIN, BY)
    assert given["token_type"] == "Bearer"
    scopes = given["scope"].split()
    assert "read:users!user" in scopes
    assert "access:services!service=wiki" in scopes
    assert not {"admin:users", "list:groups"} & set(scopes)  # asked for, and not hers to give
    actor = await place.access.by_token(given["access_token"])
    assert actor is not None
    assert (actor.name, actor.session_public_id is not None) == ("ada", True)
    assert not actor.holds("start:servers")


async def test_a_code_is_good_once_also_for_many_who_come_at_once(place: Town, provider: Provider) -> None:
    code = await _code(place, provider)
    results = await asyncio.gather(
        *(provider.exchange(_trade(code), ORIGIN, BY) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1
    assert all(isinstance(result, dict | InvalidGrantError) for result in results)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code": "guess"}, InvalidGrantError),
        ({"code": ""}, InvalidGrantError),
        ({"redirect_uri": "https://evil.example/"}, InvalidGrantError),
        ({"client_secret": "wrong"}, InvalidClientError),
        ({"client_secret": ""}, InvalidClientError),
        ({"client_secret": OTHER}, InvalidClientError),
        ({"client_id": "nobody"}, InvalidClientError),
        ({"client_id": "service-other", "client_secret": OTHER}, InvalidGrantError),  # another's code
        ({"grant_type": "password"}, UnsupportedGrantTypeError),
        ({"grant_type": ""}, UnsupportedGrantTypeError),
    ],
)
async def test_a_trade_that_does_not_fit_gives_nothing(
    place: Town, provider: Provider, form: dict[str, str], error: type[Exception]
) -> None:
    code = await _code(place, provider)
    with pytest.raises(error):
        await provider.exchange({**_trade(code), **form}, ORIGIN, BY)


async def test_a_code_ends_after_a_few_minutes(
    place: Town, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await _code(place, provider)
    later = clock.now() + CODE_LIFE + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(InvalidGrantError):
        await provider.exchange(_trade(code), ORIGIN, BY)


async def test_a_challenge_must_be_answered_and_only_by_s256(place: Town, provider: Provider) -> None:
    verifier = "v" * 64
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    params = {"code_challenge": challenge, "code_challenge_method": "S256"}
    for wrong in ({}, {"code_verifier": "w" * 64}, {"code_verifier": challenge}):
        code = await _code(place, provider, **params)
        with pytest.raises(InvalidGrantError):
            await provider.exchange({**_trade(code), **wrong}, ORIGIN, BY)
    code = await _code(place, provider, **params)
    assert await provider.exchange(_trade(code, code_verifier=verifier), ORIGIN, BY)
    actor, _ = await _visitor(place)
    for method in ({}, {"code_challenge_method": "plain"}):
        with pytest.raises(Refused, match="invalid_request"):
            await provider.check({**ASK, "code_challenge": challenge, **method}, actor, ORIGIN)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/back",
        "https://wiki.example/back/",
        "https://wiki.example/back?x=1",
        "https://wiki.example.evil.example/back",
        "http://wiki.example/back",
        "//wiki.example/back",
        "/back",
        "",
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(
    place: Town, provider: Provider, uri: str
) -> None:
    actor, _ = await _visitor(place)
    with pytest.raises(BadRequest):
        await provider.check({**ASK, "redirect_uri": uri}, actor, ORIGIN)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "admin:servers"}, "invalid_scope"),
        ({"scope": "no:such"}, "invalid_scope"),
        ({"scope": "read:users"}, "invalid_scope"),  # wider than `read:users!user`
    ],
)
async def test_a_request_out_of_order_is_told_to_the_client_with_its_state(
    place: Town, provider: Provider, params: dict[str, str], error: str
) -> None:
    actor, _ = await _visitor(place)
    with pytest.raises(Refused) as refused:
        await provider.check({**ASK, **params}, actor, ORIGIN)
    assert refused.value.location.startswith(f"{BACK}?")
    assert parse_qs(urlsplit(refused.value.location).query) == {"error": [error], "state": ["s&t=1"]}


async def test_whoever_may_not_use_the_app_gets_no_code(db: Database, provider: Provider) -> None:
    town = await Town.of(db, services=SERVICES)
    await town.add("ada")
    actor, _ = await _visitor(town)
    with pytest.raises(NoAccess):
        await provider.check(ASK, actor, ORIGIN)


async def test_a_client_is_asked_about_once_and_signing_out_ends_what_it_got(
    place: Town, provider: Provider
) -> None:
    actor, cookie = await _visitor(place)
    first = await provider.check(ASK, actor, ORIGIN)
    assert first.confirm
    code = parse_qs(urlsplit(await provider.grant(first, actor, BY)).query)["code"][0]
    given = await provider.exchange(_trade(code), ORIGIN, BY)
    assert not (await provider.check(ASK, actor, ORIGIN)).confirm
    assert actor.session_id is not None
    await place.access.end_session(BY, actor.session_id)
    assert await place.access.by_token(given["access_token"]) is None
    assert await place.access.by_session(cookie) is None


async def test_what_the_visitor_unticks_is_not_given(place: Town, provider: Provider) -> None:
    actor, _ = await _visitor(place)
    chosen: dict[str, Any] = {"chosen": []}
    authorization = await provider.check(ASK, actor, ORIGIN, **chosen)
    assert "read:users!user" not in authorization.scopes
    assert "access:services!service=wiki" in authorization.scopes


async def test_a_group_that_may_open_somebodys_servers_may_sign_in_to_them_too(
    db: Database, provider: Provider
) -> None:
    from apphub.oauth.store import ServerClient, upsert_server_clients
    from apphub.servers.model import Ask, ServerKey

    teachers = {"name": "teachers", "scopes": ["access:servers!group=class"], "users": ["tom"]}
    town = await Town.of(db, roles=[teachers])
    await town.add("ada", "bob", groups={"class": ["ada"]})
    for name in ("ada", "bob"):
        server = await town.servers.create(BY, ServerKey(name, "lab"), Ask())
        async with db.write() as tx:
            back = f"/user/{name}/lab/oauth_callback"
            client = ServerClient(server.id, f"jupyterhub-user-{name}-lab", back, "lab")
            await upsert_server_clients(tx, [client])
    actor, _ = await _visitor(town, "tom")
    params = {"client_id": "jupyterhub-user-ada-lab", "response_type": "code"}
    assert (await provider.check(params, actor, ORIGIN)).confirm
    with pytest.raises(NoAccess):
        await provider.check({**params, "client_id": "jupyterhub-user-bob-lab"}, actor, ORIGIN)


async def test_two_servers_whose_client_ids_are_alike_sign_people_in_at_the_same_time(
    db: Database, provider: Provider
) -> None:
    """JupyterHub calls the server `b` of `a` and the default one of `a-b` by one name."""
    from apphub.access.model import NewToken
    from apphub.access.store import insert_token
    from apphub.oauth.store import ServerClient, upsert_server_clients
    from apphub.servers.launch import client_id
    from apphub.servers.model import Ask, ServerKey

    town = await Town.of(db)
    await town.add("a", "a-b")
    keys = [ServerKey("a", "b"), ServerKey("a-b", "")]
    name = client_id(keys[0])
    assert client_id(keys[1]) == name
    for key in keys:
        server = await town.servers.start(BY, key, Ask())
        async with db.write() as tx:
            token = NewToken(secret=f"secret of {key}", user_id=server.user_id, server_id=server.id)
            await insert_token(tx, token, clock.now())
            await upsert_server_clients(tx, [ServerClient(server.id, name, f"/user/{key}/back", str(key))])
    codes = {}
    for key in keys:
        actor, _ = await _visitor(town, key.user)
        params = {"client_id": name, "response_type": "code", "redirect_uri": f"/user/{key}/back"}
        authorization = await provider.check(params, actor, ORIGIN)
        assert authorization.client.server == str(key)
        location = urlsplit(await provider.grant(authorization, actor, BY))
        assert location.path == f"/user/{key}/back"
        codes[key] = parse_qs(location.query)["code"][0]
        other = keys[1 - keys.index(key)]
        with pytest.raises(NoAccess):
            await provider.check({**params, "redirect_uri": f"/user/{other}/back"}, actor, ORIGIN)
        with pytest.raises(BadRequest):
            await provider.check({"client_id": name, "response_type": "code"}, actor, ORIGIN)
    for key, other in (keys, reversed(keys)):
        form = {"grant_type": "authorization_code", "client_id": name, "code": codes[key]}
        with pytest.raises(InvalidClientError):
            await provider.exchange({**form, "client_secret": "neither"}, ORIGIN, BY)
        given = await provider.exchange({**form, "client_secret": f"secret of {key}"}, ORIGIN, BY)
        assert f"access:servers!server={key}" in given["scope"].split()
        assert f"access:servers!server={other}" not in given["scope"].split()
    again, _ = await _visitor(town, "a")
    params = {"client_id": name, "response_type": "code", "redirect_uri": "/user/a/b/back"}
    location = await provider.grant(await provider.check(params, again, ORIGIN), again, BY)
    stolen = {"grant_type": "authorization_code", "client_id": name, "client_secret": f"secret of {keys[1]}"}
    with pytest.raises(InvalidGrantError):  # the other server does not get a token for the first one's code
        await provider.exchange({**stolen, "code": parse_qs(urlsplit(location).query)["code"][0]}, ORIGIN, BY)


async def test_a_server_at_the_address_of_one_since_renamed_takes_its_place(
    db: Database, provider: Provider
) -> None:
    from apphub.oauth.store import ServerClient, list_clients, upsert_server_clients
    from apphub.servers.model import Ask, ServerKey

    town = await Town.of(db)
    await town.add("ada")
    for new_name in ("old", None):
        server = await town.servers.create(BY, ServerKey("ada", "lab"), Ask())
        async with db.write() as tx:
            back = "/user/ada/lab/oauth_callback"
            client = ServerClient(server.id, "jupyterhub-user-ada-lab", back, "lab")
            await upsert_server_clients(tx, [client])
        if new_name is not None:
            await town.servers.modify(BY, server.key, Ask(), new_name=new_name)
    async with db.read() as tx:
        [client] = await list_clients(tx, "jupyterhub-user-ada-lab")
    assert client.server == "ada/lab"
