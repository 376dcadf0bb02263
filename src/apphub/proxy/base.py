"""What a data plane is told: routes, each a path prefix and an address.

Routes are derived from rows and published whenever they differ; nothing here is a truth of
its own. A scope is the unit of change: all routes below `/user/{name}/` or
`/services/{name}/`, or the one of an app's own host.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple, Protocol

from msgspec import Struct

from apphub.kit.addresses import Address

#: An edge tells at most so often that an app is used.
USE_TOLD_EVERY = timedelta(minutes=1)

#: The routes of one scope, longest prefix first.
Scope = tuple["Route", ...]


class Guard(Struct, frozen=True):
    """Who passes, for a route that the edge guards itself: whoever holds a pass for it that still counts."""

    #: What a pass must be made for (its audience).
    id: str
    #: What a pass must say; a higher one voids every pass made before.
    epoch: int = 0
    #: Sessions whose passes no longer count.
    denied: tuple[str, ...] = ()
    #: Plain headers that tell the app who visits; empty: not told in this way.
    user_header: str = ""
    groups_header: str = ""


class Visitor(NamedTuple):
    """Somebody at an app: its guard, and their sign-in."""

    guard: str
    session: str


class Route(Struct, frozen=True):
    """Requests whose raw path begins with `prefix` go to `target`."""

    #: Percent-encoded as it stands in requests, below the base URL, with a slash at both ends.
    prefix: str
    #: None: nothing runs there, and the hub's page about it is shown.
    target: Address | None
    #: None: the app itself asks who visits.
    guard: Guard | None = None
    #: Whether the app is asked without the prefix.
    strip: bool = False
    #: Streams (websockets, events) end after so many seconds; 0: never.
    stream_life: int = 0
    #: Of an app on a host of its own: https://lab-ada-17.apps.example.org. The prefix then leads there.
    origin: str = ""
    #: The machine whose door leads to the target, which is an address there; `ANYWHERE`: that of any hub.
    #: Empty: the edge itself can reach it.
    place: str = ""
    #: With no target: just the prefix without its last slash, where it is opened as a page.
    bare: bool = False

    @property
    def host(self) -> str:
        """The app's own host, as requests name it; empty for an app below the hub's path."""
        return self.origin.partition("://")[2]


#: In place of a machine's name: each of them has the target.
ANYWHERE = "*"

#: What the scopes of apps' own hosts are named with.
AT_HOST = "at"


def scope_of(prefix: str) -> str:
    """`user/ada` for `/user/ada/lab/`: the name of the scope a route belongs to."""
    return "/".join(prefix.strip("/").split("/")[:2])


def host_scope(host: str) -> str:
    """The name of the scope of an app's own host."""
    return f"{AT_HOST}/{host}"


def by_scope(routes: Iterable[Route]) -> dict[str, Scope]:
    """Routes grouped by scope, longest prefix first, so that a named server wins over the default one.

    A route to a host of its own is in two: that of its prefix, and that of the host.
    """
    grouped: dict[str, list[Route]] = {}
    for route in routes:
        grouped.setdefault(scope_of(route.prefix), []).append(route)
        if route.host:
            grouped.setdefault(host_scope(route.host), []).append(route)
    return {
        name: tuple(sorted(scope, key=lambda route: (-len(route.prefix), route.prefix)))
        for name, scope in grouped.items()
    }


class DataPlane(Protocol):
    """Publishes scopes to every edge that is connected."""

    @property
    def edges(self) -> frozenset[str]:
        """Ids of the edges that are connected."""
        ...

    @property
    def ended(self) -> Collection[Visitor]:
        """Whose streams were to end, last."""
        ...

    async def start(self, table: Mapping[str, Scope]) -> None:
        """Begin with the whole table; edges that already hold it are sent only differences."""
        ...

    async def publish(self, changes: Mapping[str, Scope]) -> bool:
        """Make these scopes so (an empty scope is withdrawn).

        Returns True once every connected edge has acknowledged, False when that took too long,
        one refused, or none is connected.
        """
        ...

    def note(self, changes: Mapping[str, Scope]) -> None:
        """Make these scopes so for edges that come later, while none is connected."""
        ...

    def on_edges(self, callback: Callable[[int], None]) -> None:
        """Call `callback` (on the event loop) with how many edges are connected, whenever that changes."""
        ...

    def end_streams(self, visitors: Iterable[Visitor]) -> None:
        """End what these, and nobody else, have open (websockets, events) within moments."""
        ...

    async def close(self) -> None: ...
