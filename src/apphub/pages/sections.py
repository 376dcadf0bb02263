"""Which of the administrators' pages are open to somebody: those whose scope they hold for others' things."""

from __future__ import annotations

from typing import NamedTuple

from apphub.access.actor import Actor
from apphub.web.needs import beyond_own


class Section(NamedTuple):
    """A page of the administration."""

    key: str
    #: Below the hub's path.
    path: str
    scope: str
    #: Whether the scope counts only without any filter: what it shows belongs to nobody.
    everywhere: bool = False


SECTIONS = (
    Section("users", "admin", "list:users"),
    Section("groups", "admin/groups", "list:groups"),
    Section("servers", "admin/servers", "read:servers"),
    Section("profiles", "admin/profiles", "read:profiles", everywhere=True),
    Section("services", "admin/services", "list:services"),
    Section("tokens", "admin/tokens", "read:tokens"),
    Section("audit", "admin/audit", "read:audit", everywhere=True),
    Section("status", "admin/status", "read:hub", everywhere=True),
)


def sections_of(actor: Actor) -> list[Section]:
    """The pages that are open to somebody, in their order."""
    return [
        one
        for one in SECTIONS
        if (everywhere(actor, one.scope) if one.everywhere else beyond_own(actor, one.scope))
    ]


def everywhere(actor: Actor, scope: str) -> bool:
    """Whether a scope is held without any filter."""
    return actor.holds(scope) and not actor.reach(scope).clauses
