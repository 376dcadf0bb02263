"""The outermost layer of the web application: what is true of every request, whatever the door.

Two servers feed it. The edge comes in by a unix socket that only it can open, and what it
says in `X-Forwarded-*` is believed; servers come in by a loopback port, where these headers
mean nothing. Paths are matched raw, so that `%2F` never becomes a slash.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from typing import Any, cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.kit.apphosts import AppHosts
from apphub.web.body import Body
from apphub.web.methods import is_page
from apphub.web.metrics import count_request
from apphub.web.request import AT_APP, AT_ONCE, BODY, NAMELESS
from apphub.web.server import EXCHANGE

log = structlog.get_logger("apphub.request")

#: Where an answer puts a second content security policy; it never leaves under this name.
POLICY = "x-apphub-policy"
_POLICY = POLICY.encode()

#: Below this the edge asks; the headers of the answers are added to requests for apps.
CHECK = "/hub/edge/check/"
#: What the edge asks about may have any method (WebDAV has a dozen); to all others it is one of these.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Paths of the edge alone.
_OF_EDGE = (CHECK, "/hub/edge/used/", "/hub/edge/hubs")

#: Below these, a path is somebody else's: it may end in a slash or hold empty segments.
_FOREIGN = ("/hub/user/", "/hub/user-redirect/", "/hub/services/", "/hub/at/", CHECK)
#: What of the hub there is at the host of an app.
_AT_APPS = (CHECK, "/hub/edge/enter")
#: The only other paths that end in a slash.
_SLASHED = frozenset({"/", "/hub/", "/hub/api/"})


#: On every answer.
_ALWAYS = (
    (b"x-jupyterhub-version", JUPYTERHUB_VERSION.encode()),
    (b"x-apphub-version", __version__.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
#: On every answer of the API that does not say otherwise.
_API = (
    (b"access-control-allow-headers", b"accept, content-type, authorization"),
    (b"cache-control", b"no-store"),
)
#: The names of those.
_UNSAID = frozenset({name for name, _ in _API} | {b"content-security-policy"})
#: Methods whose answers need no second look.
_PLAIN = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
#: Requests are named by this process and a number.
_RUN = secrets.token_hex(5)
_NUMBERS = itertools.count(1)
#: Paths that name the default server by nothing after their last slash.
_NAMELESS = re.compile(r"/hub/api/(?:shares|share-codes|(?:users|groups)/[^/]+/shared)/[^/]+/")


def _lines(*headers: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


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
        csp = f"frame-ancestors 'none'; report-uri {base}hub/security/csp-report; default-src 'none'"
        self._unsaid = (*_API, (b"content-security-policy", csp.encode()))
        #: Lines of an answer of the API that says nothing itself, but for the last, which is not whole.
        self._lines = (
            _lines((b"content-type", b"application/json"), *_ALWAYS, *self._unsaid) + b"x-request-id: "
        )
        self._tells = log.is_enabled_for(logging.DEBUG)

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
        exchange = cast("dict[str, Any]", scope).pop(EXCHANGE, None)
        method: str = scope["method"]
        bare = method == "HEAD" and is_page(path)
        # What is routed has the base taken off. The server's own scope stays as it came: it knows by the
        # method whether a body may follow.
        inner: Scope = {  # type: ignore[assignment]
            **scope,
            "method": _routed(method, path, bare),
            "path": path,
            "raw_path": path.encode("latin-1"),
            "apphub.hub": self._hub,
            "apphub.headers": headers,
            "apphub.request_id": request_id,
        }
        state = cast("dict[str, Any]", inner)
        if at_app:
            state[AT_APP] = True
        self._believe(state, headers)
        started = time.perf_counter()
        body = state[BODY] = Body(scope, headers, path, receive, exchange)

        def begin(status: int) -> None:
            state["apphub.begun"] = True
            template = state.get("path_template", "none")
            count_request(method, template, status, time.perf_counter() - started)
            if self._tells or status >= 500:
                self._log(inner, state, path, status, started)

        def at_once(status: int, content: bytes) -> bool:
            if not body.over or not exchange.answer(status, self._head(request_id, status, content), content):
                return False
            begin(status)
            return True

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                if not body.over:
                    await body.hear_out()
                if method == "OPTIONS" and message["status"] == 204:
                    message["status"] = 200
                if not path.startswith(CHECK):
                    self._decorate(path, request_id, message)
                begin(message["status"])
            elif bare and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        if exchange is not None and method in _PLAIN and path.startswith("/hub/api/") and path != "/hub/api/":
            state[AT_ONCE] = at_once
        await self._app(inner, body.receive, send_on)
        state.pop(AT_ONCE, None)  # which holds the state itself

    def _head(self, request_id: str, status: int, content: bytes) -> bytes:
        """What `_decorate` makes of an answer of the API that says nothing itself, as lines."""
        length = b"" if status == 204 else b"content-length: %d\r\n" % len(content)
        return b"%b%b\r\n%b" % (self._lines, request_id.encode(), length)

    def _believe(self, state: dict[str, Any], headers: dict[bytes, bytes]) -> None:
        client = state.get("client")
        state["apphub.address"] = client[0] if client else None
        state["apphub.scheme"] = "http"
        if self._trusted:
            forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
            state["apphub.address"] = forwarded.rpartition(",")[2].strip() or None
            state["apphub.scheme"] = "https" if headers.get(b"x-forwarded-proto", b"") == b"https" else "http"

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

    def _decorate(self, path: str, request_id: str, message: HTTPResponseStartEvent) -> None:
        names = {name for name, _ in message["headers"]}
        headers = [*message["headers"], *_ALWAYS, (b"x-request-id", request_id.encode())]
        if path == "/hub/api" or path.startswith("/hub/api/"):
            unsaid = self._unsaid
            headers += unsaid if names.isdisjoint(_UNSAID) else [one for one in unsaid if one[0] not in names]
            if path in ("/hub/api", "/hub/api/"):
                headers.append((b"access-control-allow-origin", b"*"))  # the version is for everybody
        if _POLICY in names:  # the page of consent has an address of the API
            # A second policy beside the first, which a header's name can hold only once in an answer of ours.
            headers = [
                (b"content-security-policy" if name == _POLICY else name, value) for name, value in headers
            ]
        message["headers"] = headers

    def _log(self, scope: Scope, state: dict[str, Any], path: str, status: int, started: float) -> None:
        level = log.warning if status >= 500 else log.debug
        actor = state.get("apphub.actor")
        level(
            "request",
            method=scope["method"],  # type: ignore[typeddict-item]
            path=path[:200],
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            actor=actor.label[:80] if actor is not None else None,
            address=state["apphub.address"],
            request_id=state["apphub.request_id"],
        )
