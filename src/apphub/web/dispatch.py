"""The short way from a request to its handler.

A handler here takes the request and gives an answer, and its guards are all that must be asked
before. Litestar finds it, and reads requests and writes answers; what its own way does besides
(arguments made from signatures, dependencies, hooks, a copy of the request for each guard) costs
several times what our handlers do, for nothing that they use. Whatever is no such handler
(OPTIONS, paths and methods that are not there) goes Litestar's way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from litestar import Litestar, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send
from litestar.utils import normalize_path

from apphub.web.json import Answer
from apphub.web.request import HubRequest

#: Hosts that need no second look; Litestar refuses some of the others.
_HOST = re.compile(rb"[0-9A-Za-z.:\[\]_-]*")
#: Makes an answer of an error.
Render = Callable[[HubRequest, Exception], Response[bytes]]


class Dispatch:
    """The application, with a short way to the handlers among `routes`."""

    def __init__(self, app: Litestar, render: Render) -> None:
        self._app = app
        self._render = render
        self._find = app.asgi_router.handle_routing
        self._needs: dict[Any, list[Any]] = {
            handler: handler.resolve_guards()
            for route in app.routes
            for handler in getattr(route, "route_handlers", ())
            if _takes_the_request(handler)
        }

    @property
    def handlers(self) -> Collection[Any]:
        """The handlers that have the short way."""
        return self._needs.keys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return await self._app(scope, receive, send)
        state: Any = scope
        found: Any
        try:
            found = self._find(path=_normal(state["path"]), method=state["method"])
        except HTTPException:
            return await self._app(scope, receive, send)
        _, handler, path, params, template = found
        needs = self._needs.get(handler)
        if needs is None or not _HOST.fullmatch(state["apphub.headers"].get(b"host", b"")):
            return await self._app(scope, receive, send)
        state |= {
            "path": path,
            "path_params": params,
            "path_template": template,
            "route_handler": handler,
            "app": self._app,
            "litestar_app": self._app,
            "state": {},
        }
        request = HubRequest(scope, receive, send)
        try:
            for need in needs:
                await need(request, handler)
            answer = await handler.fn(request)
            if isinstance(answer, Answer):
                response = answer.to_asgi_response(self._app, request)
            else:
                response = await handler.to_response(app=self._app, data=answer, request=request)
            await response(scope, receive, send)
        except Exception as error:
            if "apphub.begun" in state:
                raise
            failed = self._render(request, error)
            await failed.to_asgi_response(app=None, request=request)(scope, receive, send)
        return None


def _normal(path: str) -> str:
    """The path as Litestar's router wants it, which nearly every one is."""
    is_normal = path.startswith("/") and not path.endswith("/") and "//" not in path
    return path if is_normal else normalize_path(path)


def _takes_the_request(handler: Any) -> bool:
    return (
        isinstance(handler, HTTPRouteHandler)
        and list(handler.parsed_fn_signature.parameters) == ["request"]
        and not handler.has_sync_callable
    )
