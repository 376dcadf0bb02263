"""All routes of the door for programs."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from apphub.api import (
    audit,
    bindings,
    groups,
    oauth,
    openapi,
    profiles,
    progress,
    proxy,
    root,
    servers,
    services,
    shares,
    tokens,
    trials,
    users,
)

ROUTES: list[HTTPRouteHandler] = [
    *root.ROUTES,
    *users.ROUTES,
    *servers.ROUTES,
    *progress.ROUTES,
    *groups.ROUTES,
    *tokens.ROUTES,
    *profiles.ROUTES,
    *bindings.ROUTES,
    *trials.ROUTES,
    *services.ROUTES,
    *shares.ROUTES,
    *audit.ROUTES,
    *proxy.ROUTES,
    *oauth.ROUTES,
    *openapi.ROUTES,
]
