"""All routes of the door for people."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from apphub.pages import (
    accept,
    account,
    admin,
    api_docs,
    athost,
    consent,
    home,
    pending,
    server,
    share,
    signin,
    spawn,
    static,
    tokens,
    userpath,
)

ROUTES: list[HTTPRouteHandler] = [
    *home.ROUTES,
    *signin.ROUTES,
    *spawn.ROUTES,
    *pending.ROUTES,
    *server.ROUTES,
    *account.ROUTES,
    *tokens.ROUTES,
    *consent.ROUTES,
    *accept.ROUTES,
    *share.ROUTES,
    *admin.ROUTES,
    *userpath.ROUTES,
    *athost.ROUTES,
    *static.ROUTES,
    *api_docs.ROUTES,
]
