"""Tokens of all, without their secrets, and their revocation."""

from __future__ import annotations

from typing import cast, get_args

from litestar import Response, get, post

from apphub.access.grants import Target
from apphub.listings.model import AskTokens, TokenLine, TokenOrder
from apphub.pages.admin_contexts import AdminTokens, OwnedToken
from apphub.pages.admin_frame import SIZE, back, cursor_of, frame, search_of, sort_of
from apphub.pages.answers import redirect, show
from apphub.pages.forms import Form
from apphub.web.needs import manages, needs
from apphub.web.request import HubRequest

ORDERS: tuple[str, ...] = get_args(TokenOrder)


@get("/hub/admin/tokens", guards=[manages("read:tokens")])
async def tokens(request: HubRequest) -> Response[bytes]:
    """A page of tokens within reach."""
    ask = AskTokens(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=SIZE,
        order=cast("TokenOrder", sort_of(request, ORDERS)),
    )
    part = await request.hub.listings.tokens(request.reach("read:tokens"), ask)
    rows = [_row(request, line) for line in part.rows]
    return show(request, AdminTokens(frame=frame(request, "tokens", part, ORDERS), tokens=rows))


@post("/hub/admin/tokens/{user:str}/revoke", guards=[needs("tokens")])
async def revoke(request: HubRequest) -> Response[bytes]:
    """Revoke one token of a user."""
    form = await Form.of(request)
    await request.hub.access.revoke_token(request.by, request.segment("user"), form.text("id"))
    return redirect(back(request, "admin/tokens"))


def _row(request: HubRequest, line: TokenLine) -> OwnedToken:
    token = line.token
    user = token.kind == "user"
    return OwnedToken(
        id=token.wire_id,
        owner=token.owner,
        kind=token.kind,
        note=token.note,
        app=token.client or "",
        scopes=token.scopes,
        created=token.created,
        last_used=token.last_used,
        expires=token.expires,
        may_revoke=user and request.actor.may("tokens", Target(user=token.owner, groups=line.groups)),
    )


ROUTES = [tokens, revoke]
