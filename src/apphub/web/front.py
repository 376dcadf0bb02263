"""The outermost layer of the web application: what is true of every request, whatever the door.

Two servers feed it. The edge comes in by a unix socket that only it can open, and what it
says in `X-Forwarded-*` is believed; servers come in by a loopback port, where these headers
mean nothing. Paths are matched raw, so that `%2F` never becomes a slash.
"""

from __future__ import annotations

import itertools
import re
import secrets
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from apphub.kit.apphosts import AppHosts
from apphub.web.body import Body
from apphub.web.methods import is_page
from apphub.web.reply import CHECK, Common, Reply
from apphub.web.request import AT_APP, AT_ONCE, BODY, NAMELESS
from apphub.web.server import EXCHANGE

#: What the edge asks about may have any method (WebDAV has a dozen); to all others it is one of these.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Paths of the edge alone.
_OF_EDGE = (CHECK, "/hub/edge/used/", "/hub/edge/hubs", "/hub/edge/output/")

#: Below these, a path is somebody else's: it may end in a slash or hold empty segments.
_FOREIGN = ("/hub/user/", "/hub/user-redirect/", "/hub/services/", "/hub/at/", CHECK)
#: What of the hub there is at the host of an app.
_AT_APPS = (CHECK, "/hub/edge/enter")
#: The only other paths that end in a slash.
_SLASHED = frozenset({"/", "/hub/", "/hub/api/"})


#: Requests are named by this process and a number.
_RUN = secrets.token_hex(5)
_NUMBERS = itertools.count(1)
#: Paths that name the default server by nothing after their last slash.
_NAMELESS = re.compile(r"/hub/api/(?:shares|share-codes|(?:users|groups)/[^/]+/shared)/[^/]+/")


def _routed(method: str, path: str, bare: bool) -> str:
    """The method by which a handler is found."""
    if bare:
        return "GET"
    return "POST" if method not in _METHODS and path.startswith(CHECK) else method


class Front:
    """Wraps the application for one of the two ways in."""

    def __init__(
        self, app: ASGIApp, hub: object, *, base: str, trusted: bool, apps: AppHosts | None = None
    ) -> None:
        self._app = app
        self._hub = hub
        self._base = base.rstrip("/")
        self._trusted = trusted
        self._apps = apps
        self._common = Common(base)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = f"{_RUN}{next(_NUMBERS):06x}"
        path = self._path(scope)
        at_app = self._apps is not None and self._apps.holds(headers.get(b"host", b"").decode("latin-1"))
        if at_app and not path.startswith(_AT_APPS):
            path = "/%00"
        given: Any = scope
        exchange = given.pop(EXCHANGE, None)
        method: str = given["method"]
        bare = method == "HEAD" and is_page(path)
        # What is routed has the base taken off. The server's own scope stays as it came: it knows by the
        # method whether a body may follow.
        state: dict[str, Any] = {
            **given,
            "method": _routed(method, path, bare),
            "path": path,
            "raw_path": path.encode("latin-1"),
            "apphub.hub": self._hub,
            "apphub.headers": headers,
            "apphub.request_id": request_id,
        }
        if at_app:
            state[AT_APP] = True
        self._believe(state, headers)
        body = state[BODY] = Body(scope, headers, path, receive, exchange)
        reply = Reply(self._common, state, send, body, exchange, method=method, bare=bare)
        if reply.short:
            state[AT_ONCE] = reply.at_once
        await self._app(state, body.receive, reply.send)  # type: ignore[arg-type]
        state.pop(AT_ONCE, None)  # which holds the state itself

    def _believe(self, state: dict[str, Any], headers: dict[bytes, bytes]) -> None:
        if self._trusted:
            forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
            state["apphub.address"] = forwarded.rpartition(",")[2].strip() or None
            state["apphub.scheme"] = "https" if headers.get(b"x-forwarded-proto") == b"https" else "http"
        else:
            client = state.get("client")
            state["apphub.address"] = client[0] if client else None
            state["apphub.scheme"] = "http"

    def _path(self, scope: Scope) -> str:
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        if self._base:
            if path == self._base:
                return "/"
            if not path.startswith(f"{self._base}/"):
                return "/%00"  # routed to nothing
            path = path.removeprefix(self._base)
            # The edge cannot take the base off when it sends a request here; see `proxy/envoy`.
            if path.startswith(f"/hub{self._base}/"):
                path = f"/hub{path.removeprefix(f'/hub{self._base}')}"
        if not self._trusted and path.startswith(_OF_EDGE):
            return "/%00"
        if path.startswith(_FOREIGN):
            return f"{path}%00" if path.endswith("/") else path
        if path.endswith("/servers/") and path.startswith("/hub/api/users/"):
            return f"{path.removesuffix('s/')}"  # no name is the default server
        if _NAMELESS.fullmatch(path):
            return f"{path}{NAMELESS}"
        if "//" in path or (path.endswith("/") and path not in _SLASHED):
            return "/hub/api/%00" if path.startswith("/hub/api/") else "/%00"
        return path
