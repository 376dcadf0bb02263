"""Scopes made ready for questions: does this cover that?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec import Struct, field

from apphub.access.scopes import INCLUDED, SELF, Filter, parse

#: Where a scope holds: everywhere (None) or where one of the filters matches.
Where = frozenset[Filter] | None


class Target(Struct, frozen=True):
    """What somebody wants to reach; only the parts that matter are filled. (A struct: every request makes one.)"""

    user: str | None = None
    #: The groups of that user.
    groups: frozenset[str] = frozenset()
    #: `user/name`.
    server: str | None = None
    group: str | None = None
    service: str | None = None

    def matches(self, narrowing: Filter) -> bool:
        """Whether the filter lets this target through."""
        kind, value = narrowing
        if kind == "user":
            return self.user == value
        if kind == "group":
            return value in self.groups or self.group == value
        if kind == "server":
            return self.server == value
        return self.service == value

    def owns(self, narrowing: Filter) -> bool:
        """Whether the filter names a server of this user."""
        return (
            narrowing.kind == "server"
            and self.user is not None
            and narrowing.value.startswith(f"{self.user}/")
        )


class Grants(Struct, frozen=True):
    """A set of scopes, expanded: each with where it holds."""

    table: Mapping[str, Where] = field(default_factory=dict)

    @classmethod
    def of(cls, scopes: Iterable[str], *, user: str | None = None, server: str | None = None) -> Grants:
        """Expand scopes as held by `user` (for `self` and `!user`) and `server` (`user/name`, for `!server`).

        What cannot apply (`!user` held by a service) gives nothing. `inherit` must have been
        replaced by its meaning before. Raises `UnknownScope`.
        """
        return _expand(tuple(scopes), user, server)

    def holds(self, scope: str) -> bool:
        """Whether the scope is held anywhere."""
        return scope in self.table

    def covers(self, scope: str, target: Target) -> bool:
        """Whether the scope is held for this target."""
        where = self.table.get(scope, frozenset())
        if where is None:
            return True
        if any(target.matches(narrowing) for narrowing in where):
            return True
        # whoever may read one server of a person may read the person's page of servers, with just that one
        return scope == "read:servers" and target.server is None and any(map(target.owns, where))

    def where(self, scope: str) -> Where:
        """Where the scope holds; an empty set for nowhere."""
        return self.table.get(scope, frozenset())

    def names(self) -> list[str]:
        """All scopes as written on the wire, sorted."""
        names = []
        for name, where in self.table.items():
            names += [name] if where is None else [f"{name}{narrowing}" for narrowing in where]
        return sorted(names)

    def within(self, other: Grants, *, user: str | None = None, groups: frozenset[str] = frozenset()) -> bool:
        """Whether `other` covers everything here; `user` with `groups` is somebody whose membership is known."""
        return not self.beyond(other, user=user, groups=groups).table

    def beyond(
        self, other: Grants, *, user: str | None = None, groups: frozenset[str] = frozenset()
    ) -> Grants:
        """What is here and not covered by `other`."""
        left: dict[str, Where] = {}
        for name, where in self.table.items():
            theirs = other.where(name)
            if theirs is None:
                continue
            if where is None:
                left[name] = None
            elif rest := frozenset(f for f in where if not _narrower(f, theirs, user, groups)):
                left[name] = rest
        return Grants(left)

    def meet(self, other: Grants, *, user: str | None = None, groups: frozenset[str] = frozenset()) -> Grants:
        """What both cover, as far as names alone can tell (and the membership of `user` in `groups`).

        For showing. Decisions ask each set by itself, which is exact.
        """
        table: dict[str, Where] = {}
        for name, where in self.table.items():
            if name not in other.table:
                continue
            theirs = other.table[name]
            if where is None or theirs is None:
                table[name] = theirs if where is None else where
                continue
            both = {f for f in where if _narrower(f, theirs, user, groups)}
            both |= {f for f in theirs if _narrower(f, where, user, groups)}
            if both:
                table[name] = frozenset(both)
        return Grants(table)

    def __or__(self, other: Grants) -> Grants:
        table = dict(self.table)
        for name, where in other.table.items():
            mine = table.get(name, frozenset())
            table[name] = None if mine is None or where is None else mine | where
        return Grants(table)


@lru_cache(512)
def _expand(scopes: tuple[str, ...], user: str | None, server: str | None) -> Grants:
    table: dict[str, set[Filter] | None] = {}
    for text in scopes:
        name, kind, value = parse(text)
        if name == "inherit":
            continue
        if kind == "user" and value is None:
            value = user
        elif kind == "server" and value is None:
            value = server
        if name == "self":
            kind, value = "user", user
        if kind is not None and value is None:
            continue
        narrowing = Filter(kind, value) if kind and value is not None else None
        for base in SELF if name == "self" else (name,):
            _add(table, base, narrowing)
    return Grants({name: None if where is None else frozenset(where) for name, where in table.items()})


def _add(table: dict[str, set[Filter] | None], name: str, narrowing: Filter | None) -> None:
    for included in INCLUDED[name]:
        if included == "read:users:name" and narrowing is not None and narrowing.kind == "server":
            continue  # a server is no user
        if narrowing is None:
            table[included] = None
        elif (where := table.setdefault(included, set())) is not None:
            where.add(narrowing)


def _narrower(one: Filter, many: frozenset[Filter], user: str | None, groups: frozenset[str]) -> bool:
    """Whether everything that `one` lets through, some filter of `many` lets through too."""
    if one in many:
        return True
    owner = one.value.partition("/")[0] if one.kind == "server" else one.value if one.kind == "user" else None
    if owner is None:
        return False
    if one.kind == "server" and Filter("user", owner) in many:
        return True
    return owner == user and any(Filter("group", group) in many for group in groups)
