"""Who is asking now: a person or service, by a session or a token, and how far they may reach."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from msgspec import Struct

from apphub.access.grants import Grants, Target
from apphub.access.scopes import Filter
from apphub.errors import Forbidden, NotFound

T = TypeVar("T")


class OutOfReach(NotFound):
    """The scope is held, but not for this; the caller is not told whether it exists."""

    def __init__(self) -> None:
        super().__init__("No access to resources or resources not found")


class ScopeMissing(Forbidden):
    """None of the scopes that would do is held."""

    def __init__(self, *scopes: str) -> None:
        super().__init__(
            f"Action is not authorized with current scopes; requires any of [{', '.join(scopes)}]"
        )


class Reach(Struct, frozen=True):
    """How far a list may go: a row must match a filter of every clause. No clause: everything.

    Stores' `list_` functions take one, so that forgetting to narrow is a type error.
    """

    clauses: tuple[frozenset[Filter], ...] = ()


#: For the hub's own work, never for a request.
EVERYTHING = Reach()


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """The one who asks. `rights` are asked one by one: the owner's and, for a narrowed token, the token's.

    Equal only to itself: a credential that is looked up again makes another one.
    """

    kind: Literal["user", "service"]
    id: int
    name: str
    admin: bool
    groups: frozenset[str]
    rights: tuple[Grants, ...]
    token_id: int | None = None
    #: Of the sign-in that is asking, or that granted the token.
    session_id: int | None = None
    session_public_id: str | None = None
    #: The server whose own token this is.
    server_id: int | None = None
    #: The program that asks in the person's name, for the audit log: `server:ada/lab`, `client:service-wiki`.
    program: str | None = None
    expires: datetime | None = None
    #: True when a cookie proves it, so that a foreign page could make the browser send it.
    by_cookie: bool = False
    _derived: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def user_id(self) -> int | None:
        """The person, if it is one."""
        return self.id if self.kind == "user" else None

    @property
    def label(self) -> str:
        """For the audit log: `user:ada`, `service:culler`."""
        return f"{self.kind}:{self.name}"

    def holds(self, scope: str) -> bool:
        """Whether the scope is held anywhere."""
        return all(grants.holds(scope) for grants in self.rights)

    def may(self, scope: str, target: Target) -> bool:
        """Whether the scope is held for this target."""
        return all(grants.covers(scope, target) for grants in self.rights)

    def demand(self, target: Target, *scopes: str) -> None:
        """Raise unless one of these scopes is held for the target.

        `ScopeMissing` when none is held at all, `OutOfReach` when one is, but not for this.
        """
        if any(self.may(scope, target) for scope in scopes):
            return
        if any(self.holds(scope) for scope in scopes):
            raise OutOfReach
        raise ScopeMissing(*scopes)

    def everywhere(self, scopes: tuple[str, ...]) -> bool:
        """Whether one of these scopes is held without any filter: for whatever is reached for."""
        return self.once(
            ("everywhere", scopes),
            lambda: any(all(grants.where(scope) is None for grants in self.rights) for scope in scopes),
        )

    def demand_unfiltered(self, scope: str) -> None:
        """Raise unless the scope is held everywhere: for what has no single target."""
        if not self.holds(scope):
            raise ScopeMissing(scope)
        if self.reach(scope).clauses:
            raise OutOfReach

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once: for what follows from the rights alone. An actor is remembered as
        long as its rights stay as they are, and the same is asked of it at every request.
        """
        derived: dict[Hashable, T] = self._derived
        if what not in derived:
            derived[what] = make()
        return derived[what]

    def reach(self, scope: str) -> Reach:
        """How far the scope goes, for lists."""
        wheres = (grants.where(scope) for grants in self.rights)
        return Reach(tuple(where for where in wheres if where is not None))

    def grants(self) -> Grants:
        """What is held in effect, for showing and for passing on."""
        return self.once("grants", self._grants)

    def _grants(self) -> Grants:
        owner, *limits = self.rights
        user = self.name if self.kind == "user" else None
        for limit in limits:
            owner = owner.meet(limit, user=user, groups=self.groups)
        return owner
