"""The scope language: names, what each includes, and the filters that narrow them.

The names and what they include are JupyterHub's (docs: "Scopes in JupyterHub"); `self` and
`inherit` are not scopes but stand for some. A filter follows a `!`: `!user=ada`, `!group=g`,
`!server=ada/lab`, `!service=s`; bare `!user` and `!server` mean the holder's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from apphub.errors import Invalid, shown

#: Every scope: what it lets its holder do, and the scopes it includes directly.
SCOPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin-ui": ("Open the administration pages.", ()),
    "admin:users": (
        "Create, change and delete users.",
        ("admin:auth_state", "users", "read:roles:users", "delete:users"),
    ),
    "admin:auth_state": ("Read what a sign-in method keeps about users.", ()),
    "users": ("Read users and report their activity.", ("read:users", "list:users", "users:activity")),
    "delete:users": ("Delete users.", ()),
    "list:users": ("List users by name.", ("read:users:name",)),
    "read:users": (
        "Read users: names, groups, activity, state.",
        ("read:users:name", "read:users:groups", "read:users:activity"),
    ),
    "read:users:name": ("Read names of users.", ()),
    "read:users:groups": ("Read in which groups users are.", ()),
    "read:users:activity": ("Read when users were last active.", ()),
    "read:roles": (
        "Read which roles are held.",
        ("read:roles:users", "read:roles:services", "read:roles:groups"),
    ),
    "read:roles:users": ("Read roles of users.", ()),
    "read:roles:services": ("Read roles of services.", ()),
    "read:roles:groups": ("Read roles of groups.", ()),
    "users:activity": ("Report activity of users.", ("read:users:activity",)),
    "admin:servers": (
        "Start, stop and read servers, with their internal state.",
        ("admin:server_state", "servers"),
    ),
    "admin:server_state": ("Read the internal state of servers.", ()),
    "servers": ("Start, stop and read servers.", ("read:servers", "start:servers", "delete:servers")),
    "read:servers": ("Read servers.", ("read:users:name",)),
    "start:servers": ("Start servers.", ()),
    "delete:servers": ("Stop and delete servers.", ()),
    "tokens": ("Create, read and revoke tokens.", ("read:tokens",)),
    "read:tokens": ("Read tokens (never the secret itself).", ()),
    "admin:groups": (
        "Create, change and delete groups.",
        ("groups", "read:roles:groups", "delete:groups"),
    ),
    "groups": ("Read groups, add and remove members.", ("read:groups", "list:groups")),
    "list:groups": ("List groups by name.", ("read:groups:name",)),
    "read:groups": ("Read groups with their members.", ("read:groups:name",)),
    "read:groups:name": ("Read names of groups.", ()),
    "delete:groups": ("Delete groups.", ()),
    "admin:services": (
        "Create, change and delete services.",
        ("list:services", "read:services", "read:roles:services"),
    ),
    "list:services": ("List services by name.", ("read:services:name",)),
    "read:services": ("Read services.", ("read:services:name",)),
    "read:services:name": ("Read names of services.", ()),
    "read:hub": ("Read details of the hub.", ()),
    "access:servers": ("Open servers in the browser or by their API.", ()),
    "access:services": ("Open services in the browser or by their API.", ()),
    "users:shares": ("Read and revoke what is shared with users.", ("read:users:shares",)),
    "read:users:shares": ("Read what is shared with users.", ()),
    "groups:shares": ("Read and revoke what is shared with groups.", ("read:groups:shares",)),
    "read:groups:shares": ("Read what is shared with groups.", ()),
    "read:shares": ("Read how servers are shared.", ()),
    "shares": (
        "Share servers with others.",
        ("access:servers", "read:shares", "users:shares", "groups:shares"),
    ),
    "proxy": ("Read and refresh the routing table.", ()),
    "shutdown": ("Shut the hub down.", ()),
    "read:metrics": ("Read metrics.", ()),
    "admin:profiles": (
        "Change profiles and who may launch them: which programs run as the account of servers.",
        ("read:profiles", "list:profiles"),
    ),
    "read:profiles": ("Read profiles: how they are started, what they were, who may launch them.", ()),
    "list:profiles": ("List all profiles, also those that are not open to oneself.", ()),
    "read:audit": ("Read the log of who did what.", ()),
}

#: Scopes that JupyterHub does not know. Its contract lists what a caller may do, so they are listed
#: only where they were named, or asked for (docs/decisions/0010-own-scopes.md).
OWN = frozenset(("admin:profiles", "read:profiles", "list:profiles", "read:audit"))

#: What `self` stands for: what people may do with what is theirs.
SELF = (
    "access:servers",
    "read:shares",
    "read:tokens",
    "read:users",
    "read:users:shares",
    "servers",
    "tokens",
    "users:activity",
    "users:shares",
)

#: What every token of a user holds, whatever else it was given: enough to say whose it is.
IDENTIFY = ("read:users:name!user", "read:users:groups!user")

FILTERS = ("user", "group", "server", "service")


class Filter(NamedTuple):
    """One narrowing: only what belongs to this user, group, server (`user/name`) or service."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"!{self.kind}={self.value}"


class UnknownScope(Invalid):
    """A scope that does not exist, or a filter that cannot be."""


def _closure(name: str) -> frozenset[str]:
    found = {name}
    for included in SCOPES[name][1]:
        found |= _closure(included)
    return frozenset(found)


#: Every scope with all that it includes, itself too.
INCLUDED: dict[str, frozenset[str]] = {name: _closure(name) for name in SCOPES}


def parse(text: str) -> tuple[str, str | None, str | None]:
    """Split `name!kind=value` into its parts; raises `UnknownScope`."""
    name, mark, rest = text.partition("!")
    if name not in SCOPES and name not in ("self", "inherit"):
        raise UnknownScope(
            f"There is no scope {shown(text)}.", "See the list of scopes in the documentation."
        )
    if not mark:
        return name, None, None
    kind, equals, value = rest.partition("=")
    if kind not in FILTERS:
        raise UnknownScope(
            f"The scope {shown(text)} has a filter that does not exist.",
            "Filters are !user=, !group=, !server= and !service=.",
        )
    if equals and not value:
        raise UnknownScope(f"The filter of {shown(text)} is empty.")
    if kind == "server" and equals and "/" not in value:
        raise UnknownScope(f"The filter of {shown(text)} should be !server=USER/NAME.")
    if not equals and kind not in ("user", "server"):
        raise UnknownScope(f"The filter of {shown(text)} needs a value.")
    return name, kind, value if equals else None


def check(scopes: Iterable[str]) -> None:
    """Raise `UnknownScope` unless all of these can be read."""
    for scope in scopes:
        parse(scope)


def of_jupyterhub(names: Iterable[str]) -> list[str]:
    """Those of these scopes that JupyterHub has."""
    return [name for name in names if name.partition("!")[0] not in OWN]


def describe(scope: str) -> str:
    """The scope in words, for a consent page."""
    name, kind, value = parse(scope)
    if name == "inherit":
        return "Do everything that you may do."
    if name == "self":
        return "Read and change what is yours."
    what = SCOPES[name][0].rstrip(".")
    if kind is None:
        return f"{what}."
    if value is None:
        return f"{what}: only yours."
    return f"{what}: only of {kind} {value}."
