"""The document of the API (OpenAPI 3.1), made from the routes themselves.

Path, method, docstring and needed scopes come from the route, shapes from what it says
beside its handler (`web/says.py`). Nothing is written twice, so nothing can lag behind.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.access.scopes import SCOPES
from apphub.api.schema.shapes import Problem
from apphub.api.schema.types import Schema, Types
from apphub.web.json import answer
from apphub.web.needs import Need, needs, needs_list, public
from apphub.web.request import HubRequest
from apphub.web.says import JSON, Events, Says, said, says

_ABOUT = f"""\
The REST API of JupyterHub {JUPYTERHUB_VERSION}, as this hub speaks it.

Send a token as `Authorization: Bearer TOKEN` (or `token TOKEN`). A cookie of a sign-in counts, too; what
changes something then also takes the value of the cookie `_xsrf` in the header `X-XSRFToken`. Refusals are
JSON with `status` and `message`. A list is bare, or a page with its place among all items when `Accept` names
`application/jupyterhub-pagination+json`. Moments are in UTC with a `Z`. A body may be up to 2 MB, and 64 KB
where somebody signs in."""

#: What becomes of a refusal that nothing more is said of.
_REFUSALS = {
    400: "The request makes no sense as it is.",
    403: "Nobody known asks, or somebody who may not.",
    404: "It is not there, or the caller may not know that it is.",
    405: "This cannot be done by the API.",
    408: "The body takes too long to come.",
    409: "It clashes with what is.",
    413: "The body is too large.",
    429: "Not now; `Retry-After` says when (seconds).",
    500: "The server did not start; the message says why.",
    503: "The hub cannot answer now.",
}


class Operation(Struct, frozen=True):
    """A method of a path, with what is known of it."""

    method: str
    #: Below the base path: `/hub/api/users/{user}`.
    path: str
    parameters: tuple[str, ...]
    handler: HTTPRouteHandler
    says: Says

    @property
    def name(self) -> str:
        """The handler's name, made unique where one handler does several operations."""
        name: str = self.handler.fn.__name__
        if len(self.handler.paths) > 1 and "server" in self.parameters:
            name += "_named"
        if not self.path.startswith("/hub/api"):
            name = f"hub_{name}"
        return f"head_{name}" if self.method == "HEAD" else name

    @property
    def about(self) -> str:
        """The docstring, as one line."""
        return " ".join(inspect.cleandoc(self.handler.fn.__doc__ or "").split())

    @property
    def tag(self) -> str:
        """What it belongs to: the module's name."""
        return self.handler.fn.__module__.rpartition(".")[2]

    @property
    def need(self) -> Need:
        """What it takes of the caller."""
        return next(guard for guard in self.handler.guards or () if isinstance(guard, Need))


_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Sent again with the same key and body within 24 hours, it is answered as the first was.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 257},
}


def operations(app: Litestar) -> Iterator[Operation]:
    """Every operation that says what it takes, by path."""
    for route in sorted(app.routes, key=lambda route: route.path_format):
        for method, (handler, _) in sorted(getattr(route, "route_handler_map", {}).items()):
            if method != "OPTIONS" and (it := said(handler)) is not None:
                path = route.path_format
                yield Operation(method, path, tuple(route.path_parameters), handler, it)


def document(app: Litestar, base: str) -> dict[str, Any]:
    """The document, for a hub at this base path (`/`)."""
    found = list(operations(app))
    types = Types([Problem, *(kind for one in found for kind in _kinds(one.says))])
    paths: dict[str, dict[str, Any]] = {}
    for one in found:
        paths.setdefault(one.path.removeprefix("/hub"), {})[one.method.lower()] = _told(one, types)
    tags = {one.tag: sys.modules[one.handler.fn.__module__].__doc__ or "" for one in found}
    return {
        "openapi": "3.1.0",
        "info": {"title": "apphub", "version": __version__, "description": _ABOUT},
        "servers": [{"url": f"{base}hub"}],
        "tags": [{"name": name, "description": text.partition("\n")[0]} for name, text in tags.items()],
        "paths": paths,
        "components": {"schemas": types.components, "securitySchemes": _schemes(base)},
    }


def scopes_of(need: Need) -> tuple[str, ...]:
    """The scopes of which one is enough; none where none is asked for."""
    if isinstance(need, needs):
        return need.scopes[:1] if need.everywhere else need.scopes
    return (need.scope,) if isinstance(need, needs_list) else ()


def statuses(one: Operation) -> dict[int, Any]:
    """Every answer by its status, refusals too."""
    it = one.says
    found: set[int] = set(it.refuses)
    found |= {400, 408, 413} if it.takes is not None else set()
    found |= {400} if it.query else set()
    found |= {400, 409, 422} if it.keyed else set()
    found |= {404} if one.parameters else set()
    found |= set() if isinstance(one.need, public) else {403}
    return dict(sorted({**dict.fromkeys(found, Problem), **it.answers}.items()))


def _kinds(it: Says) -> Iterator[Any]:
    for kind in it.answers.values():
        if kind is not None and not isinstance(kind, str):
            yield kind.kind if isinstance(kind, Events) else kind
    yield from (query.kind for query in it.query)
    if it.takes is not None:
        yield it.takes


def _told(one: Operation, types: Types) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": one.name, "summary": one.about, "tags": [one.tag]}
    if isinstance(one.need, needs) and one.need.everywhere:
        told["description"] = "The scope is needed without any filter."
    parameters: list[dict[str, Any]] = [
        {"name": word, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for word in one.parameters
    ]
    parameters += [
        {"name": query.name, "in": "query", "description": query.about, "schema": types.schema(query.kind)}
        for query in one.says.query
    ]
    if one.says.keyed:
        parameters.append(_KEY)
    if parameters:
        told["parameters"] = parameters
    if one.says.takes is not None:
        schema = types.schema(one.says.takes)
        required = {"type": "null"} not in schema.get("anyOf", [])
        told["requestBody"] = {"required": required, "content": {one.says.media: {"schema": schema}}}
    told["responses"] = {
        str(status): _answer(status, kind, types, one.method) for status, kind in statuses(one).items()
    }
    told["security"] = _security(one.need)
    return told


def _answer(status: int, kind: Any, types: Types, method: str) -> dict[str, Any]:
    told: dict[str, Any] = {"description": _REFUSALS.get(status, HTTPStatus(status).phrase)}
    if isinstance(kind, str):
        told["content"] = {kind: {"schema": {"type": "string"}}}
    elif isinstance(kind, Events):
        # OpenAPI 3.1 has no word for streams: this describes one event of it.
        data = {"type": "string", "contentMediaType": JSON, "contentSchema": types.schema(kind.kind)}
        told["content"] = {"text/event-stream": {"schema": {"type": "object", "properties": {"data": data}}}}
    elif kind is not None and method != "HEAD":
        told["content"] = {JSON: {"schema": types.schema(kind)}}
    return told


def _security(need: Need) -> list[dict[str, list[str]]]:
    """Ways of asking, one of which is enough; each with the scope that it must give."""
    if isinstance(need, public):
        return []
    scopes = scopes_of(need)
    ways = [[scope] for scope in scopes] or [[]]
    return [{scheme: way} for scheme in ("token", "cookie") for way in ways]


def _schemes(base: str) -> Mapping[str, Schema]:
    flow = {
        "authorizationUrl": f"{base}hub/api/oauth2/authorize",
        "tokenUrl": f"{base}hub/api/oauth2/token",
        "scopes": {scope: about for scope, (about, _) in SCOPES.items()},
    }
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of a user or of a service."},
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "jupyterhub-hub-login",
            "description": "A sign-in with a browser.",
        },
        "app": {
            "type": "oauth2",
            "description": "How an app gets a token of its visitor.",
            "flows": {"authorizationCode": flow},
        },
    }


@get(
    "/hub/api/openapi.json",
    guards=[public("what the API looks like is no secret")],
    opt=says({200: dict[str, Any]}),
)
async def openapi(request: HubRequest) -> Response[bytes]:
    """This document."""
    return answer(request.document)


ROUTES = [openapi]
