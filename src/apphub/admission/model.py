"""Limits, what is taken of them, and who of a line may go in: pure.

Whoever waits in front keeps the room they wait for: a start further back that would need some of
the same goes in after them, however small it is, so that a large one does not wait for ever. A
start that waits for its own user's limit keeps nothing from others, for the narrowest limit is
asked first and the first that lacks room is the one that is waited for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct, field

from apphub.errors import Invalid
from apphub.settings import Quota

What = Literal["servers", "cpu", "memory", "starts"]
_GIGA, _MEGA = 2**30, 2**20


class Amount(NamedTuple):
    """What servers take: how many, thousandths of a processor, bytes."""

    servers: int = 0
    cpu: int = 0
    memory: int = 0

    @property
    def any(self) -> bool:
        """Whether it is more than nothing."""
        return any(self)

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.servers + other.servers, self.cpu + other.cpu, self.memory + other.memory)


#: The parts of an amount, in the order in which they are asked.
PARTS: tuple[What, ...] = ("servers", "cpu", "memory")


def amount_of(quota: Quota) -> Amount:
    """A limit as an amount; 0 is none."""
    return Amount(quota.servers, round(quota.cpu * 1000), quota.memory)


class Scope(NamedTuple):
    """Whose limit it is: `hub`, `user` (its id), `group` (its name) or `profile` (its id)."""

    kind: Literal["user", "group", "profile", "hub"]
    key: int | str = 0


HUB = Scope("hub")


class Waiting(NamedTuple):
    """A start that is not let in yet."""

    id: int
    user_id: int
    user: str
    profile_id: int | None
    cpu: int
    memory: int
    #: Of the owner, those that have limits.
    groups: tuple[str, ...] = ()

    @property
    def amount(self) -> Amount:
        """What it asks for."""
        return Amount(1, self.cpu, self.memory)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Where it counts, the narrowest first."""
        profile = () if self.profile_id is None else (Scope("profile", self.profile_id),)
        groups = tuple(Scope("group", name) for name in self.groups)
        return (Scope("user", self.user_id), *groups, *profile, HUB)


class Shortage(NamedTuple):
    """Room that lacks for one start."""

    scope: Scope
    #: The scope in words: `group analysts`.
    who: str
    what: What
    used: int
    limit: int
    asked: int

    @property
    def never(self) -> bool:
        """Whether there will not be room, whoever stops."""
        return self.asked > self.limit

    def __str__(self) -> str:
        if self.what == "starts":
            return f"its turn: {self.used} of {self.limit} starts at the same time are under way"
        if self.never:
            return (
                f"{_NAMES[self.what]}: it asks for {_figure(self.what, self.asked)}, and the limit of "
                f"{self.who} is {_figure(self.what, self.limit)}"
            )
        return f"{_NAMES[self.what]}: {self.who} uses {_share(self.what, self.used, self.limit)}"


_NAMES: dict[What, str] = {"servers": "a server to stop", "cpu": "processors", "memory": "memory"}


class NeverFits(Invalid):
    """The start asks for more than a limit allows altogether."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__(
            f"This start can never have {shortage}.",
            "Choose a profile that asks for less, or have the limit raised.",
        )


def _size(value: int) -> str:
    unit, name = (_GIGA, "GB") if value >= _GIGA else (_MEGA, "MB")
    return f"{value / unit:.3g} {name}"


def _figure(what: What, value: int) -> str:
    return _size(value) if what == "memory" else f"{value / 1000:.4g}" if what == "cpu" else str(value)


def _share(what: What, used: int, limit: int) -> str:
    if what != "memory":
        return f"{_figure(what, used)} of {_figure(what, limit)}"
    unit, name = (_GIGA, "GB") if limit >= _GIGA else (_MEGA, "MB")
    return f"{used / unit:.3g} of {limit / unit:.3g} {name}"


#: No limit, or nothing taken.
NOTHING = Amount()


class Ledger(Struct):
    """What is limited, and what is taken of it."""

    limits: Mapping[Scope, Amount]
    #: Of each user, where the settings limit users.
    per_user: Amount = NOTHING
    used: dict[Scope, Amount] = field(default_factory=dict)
    #: Starts at the same time: how many may be (0: any number), and are.
    concurrent: int = 0
    starting: int = 0
    #: Profiles by id, for words.
    slugs: Mapping[int | str, str] = field(default_factory=dict)
    _closed: set[tuple[Scope, What]] = field(default_factory=set)

    def limit(self, scope: Scope) -> Amount:
        """The limit there; of what is 0 there is none."""
        return self.per_user if scope.kind == "user" else self.limits.get(scope, NOTHING)

    @property
    def full(self) -> bool:
        """Whether nobody at all can go in any more."""
        servers = self.limit(HUB).servers
        if (HUB, "servers") in self._closed or (servers and self.used.get(HUB, NOTHING).servers >= servers):
            return True
        return bool(self.concurrent) and self.starting >= self.concurrent

    def lacks(self, row: Waiting) -> Shortage | None:
        """The first room that lacks for this start, the narrowest limit first."""
        for scope in row.scopes:
            limit, used = self.limit(scope), self.used.get(scope, NOTHING)
            for place, what in enumerate(PARTS):
                most, asked = limit[place], row.amount[place]
                if not most or not asked:
                    continue
                if used[place] + asked > most or (scope, what) in self._closed:
                    return Shortage(scope, self._who(scope, row), what, used[place], most, asked)
        if self.concurrent and self.starting >= self.concurrent:
            return Shortage(HUB, "the hub", "starts", self.starting, self.concurrent, 1)
        return None

    def impossible(self, row: Waiting) -> Shortage | None:
        """A limit that is smaller than what this start asks for."""
        for scope in row.scopes:
            for most, asked, what in zip(self.limit(scope), row.amount, PARTS, strict=True):
                if most and asked > most:
                    return Shortage(scope, self._who(scope, row), what, 0, most, asked)
        return None

    def take(self, row: Waiting) -> None:
        """Let it in."""
        for scope in row.scopes:
            self.used[scope] = self.used.get(scope, NOTHING).plus(row.amount)
        self.starting += 1

    def keep(self, shortage: Shortage) -> None:
        """Keep what lacks for whoever waits for it."""
        self._closed.add((shortage.scope, shortage.what))

    def _who(self, scope: Scope, row: Waiting) -> str:
        match scope.kind:
            case "hub":
                return "the hub"
            case "user":
                return f"user {row.user}"
            case "group":
                return f"group {scope.key}"
            case "profile":
                return f"profile {self.slugs.get(scope.key, scope.key)}"


class Round(Struct, frozen=True):
    """What one look at the line comes to, by server."""

    let_in: list[int] = field(default_factory=list)
    waits: dict[int, Shortage] = field(default_factory=dict)
    never: dict[int, Shortage] = field(default_factory=dict)


def go_through(line: Iterable[Waiting], ledger: Ledger, found: Round, *, most: int | None = None) -> None:
    """Let in whom there is room for, in the order of the line; with `most` no more, and ends once nobody can."""
    for row in line:
        if most is not None and (len(found.let_in) >= most or ledger.full):
            return
        if (never := ledger.impossible(row)) is not None:
            found.never[row.id] = never
        elif (shortage := ledger.lacks(row)) is not None:
            ledger.keep(shortage)
            found.waits[row.id] = shortage
        else:
            ledger.take(row)
            found.let_in.append(row.id)


# -- what is told --------------------------------------------------------------------------


class Spot(Struct, frozen=True):
    """Where a start stands: its place in the line from 1, about how many seconds until it is ready (None:
    nobody knows), and what it waits for.
    """

    position: int
    estimate: int | None
    waits_for: str

    @property
    def words(self) -> str:
        """One sentence."""
        about = f", ready in about {self.estimate} s" if self.estimate is not None else ""
        return f"Number {self.position} in the line{about}. It waits for {self.waits_for}."


def spots(
    line: Sequence[Waiting], found: Round, ledger: Ledger, times: Mapping[int, float]
) -> dict[int, Spot]:
    """Where everybody stands who has to wait.

    Only who waits for others to have started can be told how long: when somebody stops a server
    to make room, nobody knows.
    """
    told: dict[int, Spot] = {}
    typical = sum(times.values()) / len(times) if times else None
    ahead = 0
    for row in line:
        shortage = found.waits.get(row.id)
        if shortage is None:
            continue
        estimate = None
        if shortage.what == "starts":
            own = times.get(row.profile_id or 0, typical)
            if typical is not None and own is not None:
                estimate = roughly(math.ceil((ahead + 1) / ledger.concurrent) * typical + own)
            ahead += 1
        told[row.id] = Spot(len(told) + 1, estimate, str(shortage))
    return told


def roughly(seconds: float) -> int:
    """Seconds without false precision: whole 5 up to 30, then 10, 30, 60; never less than 5."""
    step = next((step for most, step in ((30, 5), (60, 10), (300, 30)) if seconds <= most), 60)
    return max(5, math.ceil(seconds / step) * step)
