"""JSON answers, encoded once."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType
from litestar.types import (
    ASGIApp,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Receive,
    Scope,
    Send,
)

from apphub.web.request import AT_ONCE


class Answer(Response[bytes]):
    """Bytes that are ready to be sent: what the framework does for every other kind of answer (encoders,
    defaults, conversions) costs as much as most of our handlers do.
    """

    def __init__(self, body: bytes, status: int) -> None:
        self.content = body
        self.status_code = status
        self.media_type = MediaType.JSON
        self.headers: dict[str, Any] = {}
        self.cookies = []
        self.background = None

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIApp:  # type: ignore[override]
        """The answer itself is the application that sends it."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        known: Any = scope
        at_once = None if self.headers or self.cookies else known.get(AT_ONCE)
        if at_once is not None and at_once(self.status_code, self.content):
            return
        headers = [(b"content-type", b"application/json")]
        if self.status_code != 204:
            headers.append((b"content-length", b"%d" % len(self.content)))
        headers += [
            (name.encode("latin-1"), str(value).encode("latin-1")) for name, value in self.headers.items()
        ]
        headers += [(b"set-cookie", cookie.to_header(header="").encode("latin-1")) for cookie in self.cookies]
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self.status_code or 200,
            "headers": headers,
        }
        body: HTTPResponseBodyEvent = {
            "type": "http.response.body",
            "body": self.content,
            "more_body": False,
        }
        await send(start)
        await send(body)


#: A value as JSON.
encode = msgspec.json.Encoder().encode


def answer(value: Any, status: int = 200) -> Response[bytes]:
    """A JSON answer."""
    return Answer(encode(value), status)


def ready(body: bytes) -> Response[bytes]:
    """An answer of JSON that is there already."""
    return Answer(body, 200)


def empty(status: int = 200) -> Response[bytes]:
    """An answer without a body."""
    return Answer(b"", status)
