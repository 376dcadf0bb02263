"""Shares and share codes as values, and what may be shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from apphub.access.scopes import parse
from apphub.errors import Forbidden, Invalid, NotFound, shown
from apphub.servers.model import Server, ServerKey

#: What a share may give; anything else makes no sense of one server.
SHAREABLE = ("access:servers", "read:servers", "start:servers", "delete:servers", "servers", "users:activity")
#: What it gives when nothing else is said.
USUAL = ("access:servers",)


class Level(StrEnum):
    """What a share comes to, in one word. What is open to an app's visitors is for the app to say, so there
    is no level at which one may look into it and change nothing.
    """

    #: See that it is there and how it is: in the list of what is shared, and by the API.
    VIEW = "view"
    #: Open it as well.
    USE = "use"


#: The scopes of each level.
LEVELS: dict[Level, tuple[str, ...]] = {
    Level.VIEW: ("read:servers",),
    Level.USE: ("access:servers", "read:servers"),
}


class Share(Struct, frozen=True):
    """A server opened to a user or a group."""

    id: int
    server: Server
    user: str | None
    group: str | None
    #: Without the filter, which is the server.
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None

    @property
    def level(self) -> Level:
        """What it comes to."""
        return Level.USE if "access:servers" in self.scopes else Level.VIEW


class ShareCode(Struct, frozen=True):
    """A code that stands for a share; its secret is shown once."""

    id: int
    server: Server
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None
    exchange_count: int
    last_exchanged: datetime | None

    @property
    def wire_id(self) -> str:
        """The id as the API shows it."""
        return f"sc_{self.id}"


class With(Struct, frozen=True):
    """Whom something is shared with: exactly one of both."""

    user: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) == (self.group is None):
            raise Invalid("Specify exactly one of `user` or `group`")

    def __str__(self) -> str:
        return f"user {self.user}" if self.user is not None else f"group {self.group}"


class Of(Struct, frozen=True):
    """Whose shares or codes are asked for: exactly one is filled."""

    server: ServerKey | None = None
    #: Of all servers of this person.
    owner: str | None = None
    #: What this person is given, directly or by a group.
    user: str | None = None
    #: What this group is given.
    group: str | None = None


class NoSuchShare(NotFound):
    """There is no such share."""

    def __init__(self, whom: With, key: ServerKey) -> None:
        super().__init__(f"No such share for {whom} on {key}")


class NoServerToShare(NotFound):
    """There is no such server."""

    def __init__(self, key: ServerKey) -> None:
        super().__init__(f"No such server: {shown(str(key))}")


class MayNotShare(Forbidden):
    """The sharer lacks what is shared, or may not know whom it is shared with."""


class Closed(Forbidden):
    """The server's owner may not start any more what it was started with, so nobody is let in anew."""

    def __init__(self, server: Server, why: str) -> None:
        super().__init__(
            f"{server.key} cannot be shared: {server.key.user} may no longer start what it runs. {why}",
            "What was shared before can be ended.",
        )


def parse_scopes(scopes: Sequence[str] | None, key: ServerKey) -> tuple[str, ...]:
    """Scopes for a share of this server, without their filter; raises `Invalid` for any that make no sense."""
    if not scopes:
        return USUAL
    return tuple(dict.fromkeys(_shareable(scope, key) for scope in scopes))


def _shareable(scope: str, key: ServerKey) -> str:
    name, kind, value = parse(scope)
    if name not in SHAREABLE:
        raise Invalid(f"{shown(scope)} cannot be shared.", f"What can be: {', '.join(SHAREABLE)}.")
    if kind is not None and (kind, value) != ("server", str(key)):
        raise Invalid(f"The filter of {shown(scope)} is not allowed here, only !server={key}")
    return name


def with_filter(scopes: Iterable[str], key: ServerKey) -> list[str]:
    """The scopes as they are held: of this server only."""
    return sorted(f"{scope}!server={key}" for scope in scopes)
