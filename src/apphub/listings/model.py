"""What lists are asked for, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from apphub.access.model import Token
from apphub.people.model import Person, Source
from apphub.servers.model import Server

Row = TypeVar("Row")
Value = str | int | None

#: Orders of users; a `-` is the other way round.
UserOrder = Literal["name", "-name", "activity", "-activity", "created", "-created"]
#: Orders of servers.
ServerOrder = Literal["created", "-created", "activity", "-activity"]
#: Orders of groups and of services.
NameOrder = Literal["name", "-name", "created", "-created"]
#: Orders of tokens.
TokenOrder = Literal["-created", "created"]


class Cursor(Struct, frozen=True):
    """A place between two rows: the values that the list is ordered by, and the id, of the row beside it."""

    values: tuple[Value, ...]
    #: Whether the page ends before that row, instead of beginning after it.
    backwards: bool = False


class Ask(Struct, frozen=True, kw_only=True):
    """Which part of a list."""

    #: Part of a name.
    search: str = ""
    cursor: Cursor | None = None
    limit: int = 50


class AskUsers(Ask, frozen=True, kw_only=True):
    """Which users."""

    order: UserOrder = "name"
    group: str = ""
    #: Only those with a server that runs, or is on its way.
    active: bool = False
    admins: bool = False


class AskServers(Ask, frozen=True, kw_only=True):
    """Which servers; the search is for the owner's name or the server's."""

    order: ServerOrder = "-created"
    #: Only those that run, or are on their way.
    active: bool = False
    profile: str = ""


class AskNamed(Ask, frozen=True, kw_only=True):
    """Which groups, or services."""

    order: NameOrder = "name"


class AskServices(AskNamed, frozen=True, kw_only=True):
    """Which services."""

    #: Only those with an address that people are shown.
    shown: bool = False


class AskTokens(Ask, frozen=True, kw_only=True):
    """Which tokens; the search is for the owner's name or the note."""

    order: TokenOrder = "-created"


class Part(Struct, Generic[Row], frozen=True):
    """A page of a list, with the places before and after it, where there is more."""

    rows: Sequence[Row]
    before: Cursor | None = None
    after: Cursor | None = None


class UserLine(Struct, frozen=True):
    """A user in a list."""

    person: Person
    #: Servers that run, or are on their way.
    running: int


class GroupLine(Struct, frozen=True):
    """A group in a list, without its members, who may be many."""

    id: int
    name: str
    members: int
    roles: tuple[str, ...]
    source: Source


class Member(Struct, frozen=True):
    """Somebody in a group."""

    id: int
    name: str
    last_activity: datetime | None
    #: Whether the settings file says so, so that they stay.
    declared: bool


class ServerLine(Struct, frozen=True):
    """A server in a list, with the groups of its owner, which rights go by."""

    server: Server
    groups: frozenset[str]


class TokenLine(Struct, frozen=True):
    """A token in a list, with the groups of its owner."""

    token: Token
    groups: frozenset[str]
