"""Tokens and sessions as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from msgspec import Struct

from apphub.access.grants import Grants
from apphub.errors import Forbidden, Invalid, NotFound, shown

Kind = Literal["user", "service"]


class Owner(Struct, frozen=True):
    """Whose rights a credential carries, as they are now."""

    kind: Kind
    id: int
    name: str
    admin: bool
    groups: frozenset[str]
    grants: Grants
    #: When the first of these rights ends by itself (a share that expires).
    until: datetime | None


class Token(Struct, frozen=True):
    """An API token, without its secret."""

    id: int
    kind: Kind
    owner: str
    #: As given: may hold `inherit` and bare filters.
    scopes: tuple[str, ...]
    note: str
    created: datetime
    last_used: datetime | None
    expires: datetime | None
    session_public_id: str | None
    #: The app it was granted to by OAuth, in words; None for one made by hand.
    client: str | None
    #: `user/name` of the server whose own token it is.
    server: str | None

    @property
    def wire_id(self) -> str:
        """The id as the API shows it."""
        return f"a{self.id}"


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token that was just made, with its secret, which is known this once, and its owner."""

    token: Token
    secret: str = field(repr=False)
    owner: Owner


class SignedIn(Struct, frozen=True):
    """A place where somebody is signed in, without what proves it."""

    id: int
    public_id: str
    created: datetime
    expires: datetime
    #: The browser's User-Agent header, and where it was; empty: not known.
    agent: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token about to be stored; `secret` is known only here and to whom it is handed."""

    secret: str = field(repr=False)
    user_id: int | None = None
    service_id: int | None = None
    server_id: int | None = None
    session_id: int | None = None
    client_id: int | None = None
    scopes: Sequence[str] = ("inherit",)
    note: str = ""
    expires: datetime | None = None
    source: str = "api"


class NoSuchToken(NotFound):
    """There is no such token, or it is not this owner's."""

    def __init__(self, token_id: str, owner: str) -> None:
        super().__init__(f"No such token {shown(token_id)} for user {owner}")


class TooMuch(Invalid):
    """More was asked for than may be given."""

    def __init__(self, beyond: Grants, holder: str) -> None:
        names = beyond.names()
        listed = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
        super().__init__(f"Not assigning requested scopes {listed}: not held by {holder}")


class NoSuchRole(Invalid):
    """There is no such role."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such role: {shown(name)}")


class MayNotCreateTokens(Forbidden):
    """Uniform whether the user exists or not."""

    def __init__(self, name: str) -> None:
        super().__init__(f"User {shown(name)} not found or no permissions to generate tokens")
