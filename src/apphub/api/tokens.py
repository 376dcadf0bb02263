"""Tokens: made by their owner, by somebody who may, or in exchange for a name and password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Response, delete, get, post

from apphub.access.actor import Actor
from apphub.access.actors import owner_actor
from apphub.access.grants import Grants
from apphub.access.model import MadeToken, NoSuchToken, Owner, Token
from apphub.access.scopes import IDENTIFY, of_jupyterhub
from apphub.access.store import find_owner
from apphub.api.bodies import life, text, texts
from apphub.api.schema.bodies import CreateToken, TradeToken
from apphub.api.schema.shapes import (
    NewTokenModel,
    ServiceModel,
    TokenList,
    TokenModel,
    TradedToken,
    UserModel,
)
from apphub.api.wire import token_json, user_json
from apphub.audit import By
from apphub.errors import Forbidden, Invalid, NotFound
from apphub.kit import cookies
from apphub.people.model import NoSuchUser
from apphub.web.credentials import check_api_xsrf, find_actor
from apphub.web.json import answer, empty
from apphub.web.needs import needs, public, signed_in
from apphub.web.once import no_key
from apphub.web.request import HubRequest
from apphub.web.says import says

_BY_PASSWORD = "who asks proves it with a name and password in the body"  # noqa: S105 - a reason, no secret
_TRADE = says({200: TradedToken}, takes=TradeToken, refuses=[403, 429])


@get("/hub/api/users/{user:str}/tokens", guards=[needs("read:tokens")], opt=says({200: TokenList}))
async def list_tokens(request: HubRequest) -> Response[bytes]:
    """The live tokens of a user, without their secrets."""
    owner = await _owner(request)
    tokens = await request.hub.access.tokens_of(owner.name)
    return answer({"api_tokens": [token_json(token, effective(token, owner)) for token in tokens]})


@post(
    "/hub/api/users/{user:str}/tokens",
    guards=[public(_BY_PASSWORD)],
    opt=says({201: NewTokenModel}, takes=CreateToken | None, refuses=[403, 429]),
)
async def create_token(request: HubRequest) -> Response[bytes]:
    """Make a token; its secret is in this answer and never again."""
    no_key(request)
    body = await request.body_json()
    body = {} if body is None else body
    if not isinstance(body, dict):
        raise Invalid("Body must be a JSON dict or empty")
    name = request.segment("user")
    if "auth" in body:
        actor = await _proved(request, body["auth"])
        by = By(f"user:{actor.name}", address=request.client_address, request_id=request.request_id)
        longest = _password_life(request)
    else:
        actor, by, longest = await _known(request), request.by, None
    made = await _make(request, actor, by, name, body, longest)
    model: NewTokenModel = {**_told(made), "token": made.secret}
    return answer(model, 201)


@get(
    "/hub/api/users/{user:str}/tokens/{token:str}", guards=[needs("read:tokens")], opt=says({200: TokenModel})
)
async def get_token(request: HubRequest) -> Response[bytes]:
    """One token, without its secret."""
    owner = await _owner(request)
    token = await request.hub.access.token(owner.name, request.segment("token"))
    return answer(token_json(token, effective(token, owner)))


@delete(
    "/hub/api/users/{user:str}/tokens/{token:str}",
    guards=[needs("tokens")],
    status_code=200,
    opt=says({204: None}),
)
async def revoke_token(request: HubRequest) -> Response[bytes]:
    """Revoke one token."""
    try:
        await request.hub.access.revoke_token(request.by, request.segment("user"), request.segment("token"))
    except NoSuchToken:
        await _owner(request)  # that there is no such user is the better answer
        raise
    return empty(204)


@get("/hub/api/authorizations/token", guards=[public(_BY_PASSWORD)], opt=_TRADE)
async def token_by_get(request: HubRequest) -> Response[bytes]:
    """A token in exchange for a name and password, as the guide asks for it: a GET with a body."""
    return await _trade(request)


@post("/hub/api/authorizations/token", guards=[public(_BY_PASSWORD)], opt=_TRADE)
async def token_by_post(request: HubRequest) -> Response[bytes]:
    """The same, as it should be asked for."""
    return await _trade(request)


@get(
    "/hub/api/authorizations/token/{token:str}",
    guards=[signed_in()],
    opt=says({200: UserModel | ServiceModel}),
)
async def whose_token(request: HubRequest) -> Response[bytes]:
    """Who is behind a token: holding it is enough to learn that, for whoever holds it could ask as its owner."""
    return await _identity(request, await request.hub.access.by_token(request.segment("token")))


@get(
    "/hub/api/authorizations/cookie/{cookie:str}/{value:str}",
    guards=[needs("read:users", everywhere=True)],
    opt=says({200: UserModel | ServiceModel}),
)
async def whose_cookie(request: HubRequest) -> Response[bytes]:
    """Who is behind a sign-in cookie, for old services that do not speak OAuth."""
    found = None
    if request.segment("cookie") == cookies.LOGIN:
        found = await request.hub.access.by_session(request.segment("value"))
    return await _identity(request, found)


async def _identity(request: HubRequest, found: Actor | None) -> Response[bytes]:
    if found is None:
        raise NotFound("It belongs to nobody.")
    if found.kind == "service":
        return answer({"kind": "service", "name": found.name, "admin": found.admin})
    account = await request.hub.views.account(found.name)
    return answer(user_json(account, found, request.hub.urls))


def effective(token: Token, owner: Owner) -> list[str]:
    """What a token can do now: its own scopes, as far as its owner holds them."""
    if "inherit" in token.scopes:
        return of_jupyterhub(owner.grants.names())
    limit = Grants.of((*token.scopes, *IDENTIFY), user=owner.name, server=token.server)
    mine = owner.grants | Grants.of(IDENTIFY, user=owner.name)
    return mine.meet(limit, user=owner.name, groups=owner.groups).names()


async def _trade(request: HubRequest) -> Response[bytes]:
    no_key(request)
    body = await request.body_json()
    if not isinstance(body, dict):
        raise Invalid('Send a JSON object with "username" and "password".')
    actor = await _proved(request, body)
    by = By(f"user:{actor.name}", address=request.client_address, request_id=request.request_id)
    longest = _password_life(request)
    made = await _make(request, actor, by, actor.name, body, longest)
    model = _told(made)
    account = await request.hub.views.account(actor.name)
    traded: TradedToken = {
        "token": made.secret,
        "user": user_json(account, actor, request.hub.urls),
        "id": model["id"],
        "scopes": model["scopes"],
        "expires_at": model["expires_at"],
        "note": model["note"],
    }
    return answer(traded)


async def _make(
    request: HubRequest, actor: Actor, by: By, name: str, body: dict[str, Any], longest: timedelta | None
) -> MadeToken:
    access = request.hub.access
    try:
        asked = _asked(body, actor, name, longest)
    except Invalid:
        await access.check_may_create(actor, name)  # that they may not is the better answer
        raise
    return await access.create_token(actor, by, name, **asked)


def _asked(body: dict[str, Any], actor: Actor, name: str, longest: timedelta | None) -> dict[str, Any]:
    """What a body asks of a new token. Raises `Invalid`."""
    behalf = "" if actor.kind == "user" and actor.name == name else f" by {actor.kind} {actor.name}"
    return {
        "note": text(body, "note") or f"Requested via api{behalf}",
        "scopes": texts(body, "scopes", limit=1000),
        "roles": texts(body, "roles", limit=100) or (),
        "life": min(filter(None, (life(body), longest)), default=None),
    }


def _told(made: MadeToken) -> TokenModel:
    return token_json(made.token, effective(made.token, made.owner))


def _password_life(request: HubRequest) -> timedelta | None:
    return request.hub.settings.tokens.password_life or None


async def _proved(request: HubRequest, auth: Any) -> Actor:
    """Who signs in with this name and password; all failures look the same."""
    if not isinstance(auth, dict):
        raise Invalid("auth must be an object with username and password")
    by = By("anonymous", address=request.client_address, request_id=request.request_id)
    name = await request.hub.login.sign_in(auth.get("username"), auth.get("password"), by, "token")
    return owner_actor(await _find_owner(request, name))


async def _known(request: HubRequest) -> Actor:
    actor = await find_actor(request)
    if actor is None:
        raise Forbidden("Missing or invalid credentials.")
    if actor.by_cookie:
        check_api_xsrf(request)
    return actor


async def _owner(request: HubRequest) -> Owner:
    return await _find_owner(request, request.segment("user"))


async def _find_owner(request: HubRequest, name: str) -> Owner:
    async with request.hub.db.read() as tx:
        owner = await find_owner(tx, name)
    if owner is None:
        raise NoSuchUser(name)
    return owner


ROUTES = [
    list_tokens,
    create_token,
    get_token,
    revoke_token,
    token_by_get,
    token_by_post,
    whose_token,
    whose_cookie,
]
