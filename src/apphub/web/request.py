"""A request, with what the hub knows about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, unquote_to_bytes

import msgspec
from litestar import Request
from litestar.datastructures import State

from apphub.access.actor import Actor, Reach
from apphub.audit import By
from apphub.errors import Invalid, NotFound, Unauthenticated
from apphub.web.apidoc import Book, book

if TYPE_CHECKING:
    from apphub.hub import Hub

#: Stands for a last segment that is empty, for routers take `/shares/ada/` for `/shares/ada`. No
#: request can hold it: it is not a character of addresses.
NAMELESS = " "

#: Marks a request that was sent to the host of an app.
AT_APP = "apphub.at_app"

#: Where a scope has the `Body` of its request, and what sends a whole answer of JSON at once, if that may be:
#: a function of the status and the content, False when it cannot be just now.
BODY, AT_ONCE = "apphub.body", "apphub.at_once"


class ZeroCharacter(Invalid):
    """A text holds U+0000, which no text of PostgreSQL can hold, nor any argument of a program."""

    def __init__(self) -> None:
        super().__init__("A text may not hold the character U+0000.")


class HubRequest(Request[Any, Any, State]):
    """What handlers take."""

    @property
    def hub(self) -> Hub:
        """The hub that answers."""
        scope: Any = self.scope
        hub: Hub = scope["apphub.hub"]
        return hub

    @property
    def document(self) -> dict[str, Any]:
        """The document of the API (OpenAPI 3.1)."""
        return cast("dict[str, Any]", self.app.state.document())

    @property
    def book(self) -> Book:
        """The same in words, made when it is first asked for."""
        state = self.app.state
        if "book" not in state:
            state.book = book(self.document)
        return cast("Book", state.book)

    @property
    def caller(self) -> Actor | None:
        """Who asks, if anybody known."""
        scope: Any = self.scope
        actor: Actor | None = scope.get("apphub.actor")
        return actor

    def header(self, name: bytes) -> str | None:
        """One header by its name in small letters, without making all of them into text."""
        scope: Any = self.scope
        value: bytes | None = scope["apphub.headers"].get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def actor(self) -> Actor:
        """Who asks; raises `Unauthenticated` for nobody."""
        actor = self.caller
        if actor is None:
            raise Unauthenticated("Missing or invalid credentials.")
        return actor

    @property
    def request_id(self) -> str:
        """Names this request in logs and error pages."""
        scope: Any = self.scope
        request_id: str = scope.get("apphub.request_id", "")
        return request_id

    @property
    def client_address(self) -> str | None:
        """Where the request came from, as far as can be believed."""
        scope: Any = self.scope
        address: str | None = scope.get("apphub.address")
        return address

    @property
    def by(self) -> By:
        """For the audit log."""
        actor = self.caller
        label = actor.label if actor is not None else "anonymous"
        program = actor.program if actor is not None else None
        return By(
            program or label,
            behalf=label if program is not None else None,
            address=self.client_address,
            request_id=self.request_id,
        )

    @property
    def at_app(self) -> bool:
        """Whether this was sent to the host of an app, where no page of ours is shown."""
        return AT_APP in self.scope

    @property
    def asked_origin(self) -> str:
        """Scheme and host as this request names them."""
        scheme = cast("dict[str, Any]", self.scope).get("apphub.scheme", "http")
        return f"{scheme}://{self.headers.get('host', 'localhost')}".lower()

    @property
    def origin(self) -> str:
        """Scheme and host of the address people use: https://hub.example."""
        return self.hub.urls.public_origin or self.asked_origin

    @property
    def origins(self) -> frozenset[str]:
        """The origins that pages of ours may have."""
        return frozenset({self.origin.lower(), self.asked_origin})

    @property
    def secure(self) -> bool:
        """Whether people reach the hub by https."""
        return self.origin.startswith("https:")

    def segment(self, name: str) -> str:
        """A part of the path, percent-decoded (once, after matching); raises `NotFound` for what is no text."""
        raw: str = self.path_params[name]
        if raw == NAMELESS:
            return ""
        if "%" not in raw and raw.isascii() and raw.isprintable():
            return raw
        try:
            text = unquote_to_bytes(raw.encode("latin-1")).decode()
        except UnicodeError:
            raise NotFound("There is nothing at this address.") from None
        if _holds_zero(text):
            raise NotFound("There is nothing at this address.")
        return text

    def reach(self, scope: str) -> Reach:
        """How far the caller's scope goes, for a list."""
        return self.actor.reach(scope)

    async def body(self) -> bytes:
        """The whole body, read once. `Body` bounds it; what the framework looks at besides, for every piece
        of it, costs more than reading does. Raises `Invalid` when the client goes before its end.
        """
        if isinstance(self._body, bytes):
            return self._body
        scope: Any = self.scope
        whole: bytes | None = scope[BODY].whole()
        self._body = self._connection_state.body = await self._read() if whole is None else whole
        return self._body

    async def _read(self) -> bytes:
        pieces = []
        more = True
        while more:
            message: Any = await self.receive()
            if message["type"] != "http.request":
                raise Invalid("The body of the request ends too early.")
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(pieces)

    async def body_json(self) -> Any:
        """The body as JSON; None when there is none. Raises `Invalid`."""
        body = await self.body()
        if not body:
            return None
        try:
            value = msgspec.json.decode(body)
            zero = b"\\u0000" in body and _holds_zero(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Invalid("Invalid JSON in body of request") from None
        if zero:
            raise ZeroCharacter
        return value

    async def form_fields(self) -> dict[str, list[str]]:
        """The fields of a form sent as application/x-www-form-urlencoded, bounded."""
        body = await self.body()
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=200)
        except (UnicodeDecodeError, ValueError):
            raise Invalid("The form cannot be read.") from None
        if _holds_zero(fields):
            raise ZeroCharacter
        return fields


def _holds_zero(value: Any) -> bool:
    """Whether a text anywhere in the value has U+0000."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_zero(key) or _holds_zero(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_zero, value))
