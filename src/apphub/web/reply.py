"""The way out of one request: what all answers have in common, whichever way they are sent.

Most answers of the API are whole, and say nothing but JSON: they leave in one piece (`Exchange`).
All others go by the messages of ASGI. Both say the same to the client.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import structlog
from litestar.types import HTTPResponseStartEvent, Message, Send

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.web.body import Body
from apphub.web.metrics import count_request
from apphub.web.server import Exchange

log = structlog.get_logger("apphub.request")

#: Where an answer puts a second content security policy; it never leaves under this name.
POLICY = "x-apphub-policy"
_POLICY = POLICY.encode()

#: Below this the edge asks; the headers of the answers are added to requests for apps.
CHECK = "/hub/edge/check/"

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


class Common:
    """What the answers of one hub have in common."""

    def __init__(self, base: str) -> None:
        csp = f"frame-ancestors 'none'; report-uri {base}hub/security/csp-report; default-src 'none'"
        self._unsaid = (*_API, (b"content-security-policy", csp.encode()))
        #: Lines of an answer of the API that says nothing itself, but for the last, which is not whole.
        self._lines = b"%bx-request-id: " % _lines(
            (b"content-type", b"application/json"), *_ALWAYS, *self._unsaid
        )
        self.tells = log.is_enabled_for(logging.DEBUG)

    def head(self, request_id: str, status: int, content: bytes) -> bytes:
        """What `decorate` makes of an answer of the API that says nothing itself, as lines."""
        length = b"" if status == 204 else b"content-length: %d\r\n" % len(content)
        return b"%b%b\r\n%b" % (self._lines, request_id.encode(), length)

    def decorate(self, path: str, request_id: str, message: HTTPResponseStartEvent) -> None:
        """Add the headers that an answer to this path has and does not say itself."""
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


class Reply:
    """The way out of one request, whose `scope` tells of it."""

    __slots__ = ("_bare", "_body", "_common", "_exchange", "_method", "_path", "_scope", "_send", "_started")

    def __init__(
        self,
        common: Common,
        scope: dict[str, Any],
        send: Send,
        body: Body,
        exchange: Exchange | None,
        *,
        method: str,
        bare: bool,
    ) -> None:
        self._common, self._scope, self._send = common, scope, send
        self._body, self._exchange = body, exchange
        self._path: str = scope["path"]
        #: As the client said it; `bare` is HEAD that is answered as GET without the content.
        self._method, self._bare = method, bare
        self._started = time.perf_counter()

    @property
    def short(self) -> bool:
        """Whether answers may leave at once."""
        path = self._path
        api = path.startswith("/hub/api/") and path != "/hub/api/"
        return api and self._exchange is not None and self._method in _PLAIN

    def at_once(self, status: int, content: bytes) -> bool:
        """Send a whole answer of JSON without headers of its own; False: it must go by `send`."""
        if self._exchange is None or not self._body.over:
            return False
        head = self._common.head(self._scope["apphub.request_id"], status, content)
        if not self._exchange.answer(status, head, content):
            return False
        self._begun(status)
        return True

    async def send(self, message: Message) -> None:
        """Send a message of ASGI, with what all answers have."""
        if message["type"] == "http.response.start":
            if not self._body.over:
                await self._body.hear_out()
            if self._body.given_up:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            if self._method == "OPTIONS" and message["status"] == 204:
                message["status"] = 200
            if not self._path.startswith(CHECK):
                self._common.decorate(self._path, self._scope["apphub.request_id"], message)
            self._begun(message["status"])
        elif self._bare and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)

    def _begun(self, status: int) -> None:
        self._scope["apphub.begun"] = True
        seconds = time.perf_counter() - self._started
        count_request(self._method, self._scope.get("path_template", "none"), status, seconds)
        if self._common.tells or status >= 500:
            self._log(status, seconds)

    def _log(self, status: int, seconds: float) -> None:
        level = log.warning if status >= 500 else log.debug
        actor = self._scope.get("apphub.actor")
        level(
            "request",
            method=self._scope["method"],
            path=self._path[:200],
            status=status,
            ms=round(seconds * 1000, 1),
            actor=actor.label[:80] if actor is not None else None,
            address=self._scope["apphub.address"],
            request_id=self._scope["apphub.request_id"],
        )


def _lines(*headers: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
