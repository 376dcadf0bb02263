"""People and groups as values, and the rules of their names."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Raw, Struct

from apphub.errors import Conflict, Invalid, NotFound, shown
from apphub.kit.names import is_name, user_name


class Source(StrEnum):
    """Who declared something."""

    SETTINGS = "settings"
    API = "api"
    BUILT_IN = "built-in"


#: By what the database says. (An enumeration takes ten times as long to find one.)
SOURCES = {source.value: source for source in Source}


class Person(Struct, frozen=True):
    """A user. (A struct, for lists make thousands: a frozen dataclass takes six times as long to make.)"""

    id: int
    name: str
    admin: bool
    groups: tuple[str, ...]
    #: Roles beside `user` and `admin`.
    roles: tuple[str, ...]
    created: datetime
    last_activity: datetime | None
    info: dict[str, Any] | None
    source: Source

    @property
    def label(self) -> str:
        """For the audit log."""
        return f"user:{self.name}"


class ListedGroup(Struct, frozen=True):
    """A group in a list, its members as the JSON that the database made of them: there may be very many."""

    id: int
    name: str
    members: Raw
    roles: tuple[str, ...]
    properties: dict[str, Any]


class Group(Struct, frozen=True):
    """A group with its members."""

    id: int
    name: str
    members: tuple[str, ...]
    roles: tuple[str, ...]
    properties: dict[str, Any]
    source: Source

    @property
    def label(self) -> str:
        """For the audit log."""
        return f"group:{self.name}"


class Service(Struct, frozen=True):
    """A program that talks to the hub in its own name."""

    id: int
    name: str
    admin: bool
    url: str | None
    info: dict[str, Any]
    display: bool
    #: Program of a service that the hub runs itself.
    command: tuple[str, ...]
    roles: tuple[str, ...]
    source: Source

    @property
    def label(self) -> str:
        """For the audit log."""
        return f"service:{self.name}"


class NoSuchUser(NotFound):
    """There is no such user."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such user: {shown(name)}")


class NoSuchGroup(NotFound):
    """There is no such group."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such group: {shown(name)}")


class NoSuchService(NotFound):
    """There is no such service."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such service: {shown(name)}")


class UserExists(Conflict):
    """The name is taken."""


class GroupExists(Conflict):
    """The name is taken."""


class Declared(Conflict):
    """The settings file says otherwise, and it wins."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is declared in the settings file.", "Change it there.")


def parse_user_name(text: object) -> str:
    """The folded name; raises `Invalid` in words."""
    if not isinstance(text, str):
        raise Invalid(f"A user name is a text, not {shown(text)}.")
    try:
        return user_name(text)
    except ValueError:
        raise Invalid(
            f"Invalid username: {shown(text)}",
            "A name has 1 to 255 printable characters, no slash, and no space at its ends.",
        ) from None


def parse_group_name(text: object) -> str:
    """The name as it is; raises `Invalid` in words."""
    if not isinstance(text, str) or not is_name(text):
        raise Invalid(
            f"Invalid group name: {shown(text)}",
            "A name has 1 to 255 printable characters, no slash, and no space at its ends.",
        )
    return text
