"""All routes of the door for programs."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from apphub.api import groups, oauth, profiles, progress, root, servers, tokens, users

ROUTES: list[HTTPRouteHandler] = [
    *root.ROUTES,
    *users.ROUTES,
    *servers.ROUTES,
    *progress.ROUTES,
    *groups.ROUTES,
    *tokens.ROUTES,
    *profiles.ROUTES,
    *oauth.ROUTES,
]
