"""Shares and share codes: servers opened to others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from litestar import Response, delete, get, patch, post

from apphub.api.bodies import as_object, only, texts
from apphub.api.paging import PAGING, page_bounds, page_json
from apphub.api.schema.bodies import CreateCode, GrantShare, RevokeShare
from apphub.api.schema.shapes import NewShareCode, Nothing, Page, ShareCodeModel, ShareModel
from apphub.api.wire import server_share_json
from apphub.errors import Invalid, shown
from apphub.servers.model import ServerKey
from apphub.shares.model import LEVELS, Level, Of, Share, ShareCode, With, with_filter
from apphub.web.json import answer, empty
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

#: Pages of shares hold this many by default, as JupyterHub's do.
PAGE = 200
#: Life of a code, in seconds.
SHORTEST, LONGEST = 60, 31_536_000

_SERVER = "/{user:str}/{server:str}"
_OWNED = "/{owner:str}/{server:str}"
_OWN = Query("own_keys", str, "1: also `level` and `expires_at`, which JupyterHub does not tell.")
_WHICH = (Query("code", str, "The code itself."), Query("id", str, "The id of a code."))


def _key(request: HubRequest) -> ServerKey:
    owner = "owner" if "owner" in request.path_params else "user"
    return ServerKey(request.segment(owner), request.segment("server"))


def share_json(share: Share, request: HubRequest) -> ShareModel:
    """A share as the API shows it; what JupyterHub does not tell is told to whoever asks for it."""
    model: ShareModel = {
        "server": server_share_json(share.server, request.hub.urls),
        "scopes": with_filter(share.scopes, share.server.key),
        "user": {"name": share.user} if share.user is not None else None,
        "group": {"name": share.group} if share.group is not None else None,
        "kind": "user" if share.user is not None else "group",
        "created_at": share.created,
    }
    if request.query_params.get("own_keys") == "1":
        model["level"] = share.level.value
        model["expires_at"] = share.expires
    return model


def code_json(code: ShareCode, request: HubRequest) -> ShareCodeModel:
    """A code as the API shows it, without its secret."""
    return {
        "server": server_share_json(code.server, request.hub.urls),
        "scopes": with_filter(code.scopes, code.server.key),
        "id": code.wire_id,
        "created_at": code.created,
        "expires_at": code.expires,
        "exchange_count": code.exchange_count,
        "last_exchanged_at": code.last_exchanged,
    }


async def _list_shares(request: HubRequest, of: Of) -> Response[bytes]:
    offset, limit = page_bounds(request, default=PAGE)
    shares, total = await request.hub.shares.list_shares(of, offset=offset, limit=limit)
    return _page(request, [share_json(share, request) for share in shares], offset, limit, total)


async def _list_codes(request: HubRequest, of: Of) -> Response[bytes]:
    offset, limit = page_bounds(request, default=PAGE)
    codes, total = await request.hub.shares.list_codes(of, offset=offset, limit=limit)
    return _page(request, [code_json(code, request) for code in codes], offset, limit, total)


def _page(request: HubRequest, items: Sequence[Any], offset: int, limit: int, total: int) -> Response[bytes]:
    return answer(page_json(request, items, offset, limit, total))


async def _body(request: HubRequest, shape: type) -> dict[str, Any]:
    body = await request.body_json()
    body = {} if body is None else as_object(body)
    only(body, shape)
    return body


def _whom(body: dict[str, Any]) -> With:
    for key in ("user", "group"):
        if body.get(key) is not None and not isinstance(body[key], str):
            raise Invalid(f"{key} must be a name, not {shown(body[key])}")
    return With(body.get("user"), body.get("group"))


def _life(body: dict[str, Any]) -> timedelta | None:
    value = body.get("expires_in")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(f"expires_in must be a number of seconds, not {shown(value)}")
    if not SHORTEST <= value <= LONGEST:
        raise Invalid(f"expires_in must be from {SHORTEST} to {LONGEST} seconds")
    return timedelta(seconds=value)


def _level(body: dict[str, Any]) -> Level | None:
    value = body.get("level")
    if value is None:
        return None
    if not isinstance(value, str) or value not in LEVELS:
        raise Invalid(f"level must be one of {', '.join(LEVELS)}, not {shown(value)}")
    return Level(value)


@get(
    "/hub/api/shares/{user:str}",
    guards=[needs("read:shares")],
    opt=says({200: Page[list[ShareModel]]}, query=[*PAGING, _OWN]),
)
async def shares_of_owner(request: HubRequest) -> Response[bytes]:
    """How a user's servers are shared."""
    return await _list_shares(request, Of(owner=request.segment("user")))


@get(
    f"/hub/api/shares{_SERVER}",
    guards=[needs("read:shares")],
    opt=says({200: Page[list[ShareModel]]}, query=[*PAGING, _OWN]),
)
async def shares_of_server(request: HubRequest) -> Response[bytes]:
    """How one server is shared."""
    return await _list_shares(request, Of(server=_key(request)))


@post(
    f"/hub/api/shares{_SERVER}",
    guards=[needs("shares")],
    status_code=200,
    opt=says({200: ShareModel}, takes=GrantShare, query=[_OWN]),
)
async def grant(request: HubRequest) -> Response[bytes]:
    """Share a server with a user or a group; `expires_in` seconds, if it should end by itself."""
    body = await _body(request, GrantShare)
    whom, scopes, life, level = _whom(body), texts(body, "scopes", limit=100), _life(body), _level(body)
    if level is not None and scopes is not None:
        raise Invalid("Specify one of `level` and `scopes`, not both")
    share = await request.hub.shares.grant(
        request.actor,
        request.by,
        _key(request),
        whom,
        LEVELS[level] if level is not None else scopes,
        life,
        replace=level is not None,
    )
    return answer(share_json(share, request))


@patch(
    f"/hub/api/shares{_SERVER}",
    guards=[needs("shares")],
    opt=says({200: ShareModel | Nothing}, takes=RevokeShare, query=[_OWN]),
)
async def revoke(request: HubRequest) -> Response[bytes]:
    """Take back some scopes of a share, or the whole of it."""
    body = await _body(request, RevokeShare)
    scopes = texts(body, "scopes", limit=100)
    left = await request.hub.shares.revoke(request.by, _key(request), _whom(body), scopes)
    return answer(share_json(left, request) if left is not None else {})


@delete(f"/hub/api/shares{_SERVER}", guards=[needs("shares")], status_code=200, opt=says({204: None}))
async def revoke_all(request: HubRequest) -> Response[bytes]:
    """Close a server to everybody."""
    await request.hub.shares.revoke_all(request.by, _key(request))
    return empty(204)


@get(
    "/hub/api/users/{user:str}/shared",
    guards=[needs("read:users:shares")],
    opt=says({200: Page[list[ShareModel]]}, query=[*PAGING, _OWN]),
)
async def shared_with_user(request: HubRequest) -> Response[bytes]:
    """What a user is given, directly or by a group."""
    return await _list_shares(request, Of(user=request.segment("user")))


@get(
    f"/hub/api/users/{{user:str}}/shared{_OWNED}",
    guards=[needs("read:users:shares")],
    opt=says({200: ShareModel}, query=[_OWN]),
)
async def one_shared_with_user(request: HubRequest) -> Response[bytes]:
    """One share of a user."""
    whom = With(user=request.segment("user"))
    return answer(share_json(await request.hub.shares.find(_key(request), whom), request))


@delete(
    f"/hub/api/users/{{user:str}}/shared{_OWNED}",
    guards=[needs("users:shares")],
    status_code=200,
    opt=says({204: None}),
)
async def leave(request: HubRequest) -> Response[bytes]:
    """A user gives a share up."""
    whom = With(user=request.segment("user"))
    await request.hub.shares.revoke(request.by, _key(request), whom, strict=True)
    return empty(204)


@get(
    "/hub/api/groups/{group:str}/shared",
    guards=[needs("read:groups:shares")],
    opt=says({200: Page[list[ShareModel]]}, query=[*PAGING, _OWN]),
)
async def shared_with_group(request: HubRequest) -> Response[bytes]:
    """What a group is given."""
    return await _list_shares(request, Of(group=request.segment("group")))


@get(
    f"/hub/api/groups/{{group:str}}/shared{_OWNED}",
    guards=[needs("read:groups:shares")],
    opt=says({200: ShareModel}, query=[_OWN]),
)
async def one_shared_with_group(request: HubRequest) -> Response[bytes]:
    """One share of a group."""
    whom = With(group=request.segment("group"))
    return answer(share_json(await request.hub.shares.find(_key(request), whom), request))


@delete(
    f"/hub/api/groups/{{group:str}}/shared{_OWNED}",
    guards=[needs("groups:shares")],
    status_code=200,
    opt=says({204: None}),
)
async def group_leaves(request: HubRequest) -> Response[bytes]:
    """A group gives a share up."""
    whom = With(group=request.segment("group"))
    await request.hub.shares.revoke(request.by, _key(request), whom, strict=True)
    return empty(204)


@get(
    "/hub/api/share-codes/{user:str}",
    guards=[needs("read:shares")],
    opt=says({200: Page[list[ShareCodeModel]]}, query=PAGING),
)
async def codes_of_owner(request: HubRequest) -> Response[bytes]:
    """Codes of a user's servers."""
    return await _list_codes(request, Of(owner=request.segment("user")))


@get(
    f"/hub/api/share-codes{_SERVER}",
    guards=[needs("read:shares")],
    opt=says({200: Page[list[ShareCodeModel]]}, query=PAGING),
)
async def codes_of_server(request: HubRequest) -> Response[bytes]:
    """Codes of one server."""
    return await _list_codes(request, Of(server=_key(request)))


@post(
    f"/hub/api/share-codes{_SERVER}",
    guards=[needs("shares")],
    status_code=200,
    opt=says({200: NewShareCode}, takes=CreateCode | None),
)
async def create_code(request: HubRequest) -> Response[bytes]:
    """Make a code; it is in this answer and never again."""
    body = await _body(request, CreateCode)
    code, secret = await request.hub.shares.create_code(
        request.actor, request.by, _key(request), texts(body, "scopes", limit=100), _life(body)
    )
    path = f"{request.hub.urls.hub}accept-share?code={secret}"
    public = request.hub.urls.public_origin
    model: NewShareCode = {
        **code_json(code, request),
        "code": secret,
        "accept_url": path,
        "full_accept_url": f"{public}{path}" if public else None,
    }
    return answer(model)


@delete(
    f"/hub/api/share-codes{_SERVER}",
    guards=[needs("shares")],
    status_code=200,
    opt=says({204: None}, query=_WHICH),
)
async def delete_codes(request: HubRequest) -> Response[bytes]:
    """End one code (`?code=` or `?id=`), or all of a server."""
    secret, wire_id = request.query_params.get("code"), request.query_params.get("id")
    await request.hub.shares.delete_codes(request.by, _key(request), secret=secret, wire_id=wire_id)
    return empty(204)


ROUTES = [
    shares_of_owner,
    shares_of_server,
    grant,
    revoke,
    revoke_all,
    shared_with_user,
    one_shared_with_user,
    leave,
    shared_with_group,
    one_shared_with_group,
    group_leaves,
    codes_of_owner,
    codes_of_server,
    create_code,
    delete_codes,
]
