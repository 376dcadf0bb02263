"""Every route of the hub with its handler, for tests that must not forget one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from litestar.handlers import HTTPRouteHandler

from apphub.app import build_app
from apphub.hub import Hub
from apphub.kit.urls import Urls

#: Method and path: ("GET", "/hub/admin/users/{user}").
Route = tuple[str, str]


def routes() -> list[tuple[Route, HTTPRouteHandler]]:
    """All routes with their handlers; Litestar answers OPTIONS by itself, with nothing but methods."""
    # The document of the API names the hub's base URL; nothing else of a hub is asked.
    hub = SimpleNamespace(urls=Urls("/", "http://127.0.0.1:8081", None))
    app = build_app(cast("Hub", hub))
    found = []
    for route in app.routes:
        for handler in route.route_handlers:
            if not isinstance(handler, HTTPRouteHandler):
                pytest.fail(f"{route.path} is not HTTP: only the edge speaks websockets")
            path = "/".join(
                f"{{{part.name}}}" if hasattr(part, "name") else str(part) for part in route.path_components
            )
            for method in handler.http_methods:
                if str(method) == "OPTIONS" and "options_handler" in str(handler.fn):
                    continue
                found.append(((str(method), f"/{path}"), handler))
    return found


def admin_routes() -> list[Route]:
    """The routes of the administrators' pages."""
    return [route for route, _ in routes() if route[1].startswith("/hub/admin")]
