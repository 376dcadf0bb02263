"""The body of one request: bounded in size and time, and heard out before the answer.

An answer that begins while the client still sends ends with the connection closed under it,
and the edge then says that the hub is away, whatever the answer was. So what nobody read,
of a request that was refused by its headers or for its size, is read and thrown away first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from litestar.types import Receive, Scope

from apphub.web.errors import TooLarge, TooSlow
from apphub.web.server import Exchange

#: Largest body, in bytes, by what the path begins with; the last one counts for all others.
LIMITS = (("/hub/api/authorizations/", 65_536), ("/hub/login", 65_536), ("/hub/api/oauth2/", 65_536))
LIMIT = 2_000_000
#: No limit is smaller.
_SMALL = min(size for _, size in LIMITS)

#: So much is heard out, in bytes; who sends still more may miss the answer.
HEARD_OUT = 1_000_000_000

#: Seconds that a body may take, from when it is first waited for: what is longest over a line of 270 kbit/s.
WITHIN = 60.0


class Body:
    """Stands between the server and the application."""

    def __init__(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        path: str,
        receive: Receive,
        exchange: Exchange | None,
    ) -> None:
        self._receive = receive
        self._exchange = exchange
        self._path = path
        self._got = 0
        self._until: float | None = None
        #: Nothing more of it will come.
        self.over = _has_none(scope, headers)
        #: Nobody waits for the rest of it: the connection ends with the answer.
        self.given_up = False

    def whole(self) -> bytes | None:
        """All of it, where it has come with the head; None: read it. Raises `TooLarge`."""
        if self.over or self._exchange is None or (body := self._exchange.body()) is None:
            return None
        self._got, self.over = len(body), True
        if (limit := self._exceeded()) is not None:
            raise _too_large(limit)
        return body

    async def receive(self) -> Any:
        """The next message; raises `TooLarge` once the body is larger than may be, `TooSlow` when it takes too long."""
        message = await self._next()
        if (limit := self._exceeded()) is not None:
            await self.hear_out()
            raise _too_large(limit)
        return message

    async def hear_out(self) -> None:
        """Read what is left and keep none of it."""
        with suppress(TooSlow):
            while not self.over and not self.given_up and self._got < HEARD_OUT:
                await self._next()
        self.given_up = not self.over

    def _exceeded(self) -> int | None:
        """The limit that what has come exceeds, if any."""
        if self._got <= _SMALL:
            return None
        limit = next((size for prefix, size in LIMITS if self._path.startswith(prefix)), LIMIT)
        return limit if self._got > limit else None

    async def _next(self) -> Any:
        message: Any = await (self._receive() if self.over or self.given_up else self._in_time())
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            self.over = not message.get("more_body", False)
        else:
            self.over = True  # the client has gone
        return message

    async def _in_time(self) -> Any:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + WITHIN
        try:
            async with asyncio.timeout_at(self._until):
                return await self._receive()
        except TimeoutError:
            self.given_up = True
            raise TooSlow(f"The body of the request has not come within {WITHIN:g} seconds.") from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body of the request is larger than {limit} bytes.")


def _has_none(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether the headers tell that there is no body (RFC 9112, section 6.3), as with nearly every GET."""
    if scope["http_version"] not in ("1.0", "1.1"):
        return False
    return headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
