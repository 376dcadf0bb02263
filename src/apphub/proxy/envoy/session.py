"""What one connected edge holds, and what to send it next; no I/O.

One response is in flight at a time. Scopes that change meanwhile wait, and the next
response carries all of them as they are by then: a burst of changes costs an edge few
updates. A response that is refused is cut in halves until the scope at fault stands
alone; the others reach the edge, that one is not offered again until it changes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice

from msgspec import Struct

from apphub.proxy.envoy.wire import Resource, response

#: Scopes per response: Envoy applies one in a few 10 µs to 100 µs, and acknowledges after the last.
BATCH = 500

Table = Mapping[str, Resource]


class _Flight(Struct, frozen=True):
    nonce: str
    #: Version by scope; None: taken away.
    versions: dict[str, str | None]


class Refusal(Struct, frozen=True):
    """A scope that an edge will not take, and its words."""

    scope: str
    reason: str


class Session:
    """One edge on one stream."""

    def __init__(self, edge: str, held: Mapping[str, str], table: Table) -> None:
        self.edge = edge
        #: Set when there may be something to send.
        self.wake = asyncio.Event()
        self._held: dict[str, str | None] = dict(held)
        self._refused: dict[str, str | None] = {}
        self._flight: _Flight | None = None
        self._halves: deque[list[str]] = deque()
        self._sent = 0
        # In the table's order (the hub's scope comes first), then what the edge should forget.
        self._dirty = dict.fromkeys(name for name in table if held.get(name) != table[name].version)
        self._dirty.update(dict.fromkeys(name for name in held if name not in table))
        self.wake.set()

    def touch(self, names: Iterable[str]) -> None:
        """These scopes changed."""
        for name in names:
            self._refused.pop(name, None)
            self._dirty[name] = None
        self.wake.set()

    def next(self, table: Table) -> bytes | None:
        """The next response, if there is something to say and nothing in flight."""
        while self._flight is None and (self._halves or self._dirty):
            versions = {name: _version(table, name) for name in self._batch()}
            # A scope that was refused and stayed unknown to the edge is taken away all the same: harmless.
            versions = {name: v for name, v in versions.items() if v != self._held.get(name)}
            if not versions:
                continue
            self._sent += 1
            self._flight = _Flight(str(self._sent), versions)
            wanted = [(name, table[name]) for name, version in versions.items() if version is not None]
            removed = [name for name, version in versions.items() if version is None]
            return response(self._flight.nonce, wanted, removed)
        return None

    def _batch(self) -> list[str]:
        names = self._halves.popleft() if self._halves else list(islice(self._dirty, BATCH))
        for name in names:
            self._dirty.pop(name, None)
        return names

    def answer(self, nonce: str, error: str) -> Refusal | None:
        """The edge took or refused the response with this nonce; a refusal is returned once it has one name."""
        flight = self._flight
        if flight is None or flight.nonce != nonce:
            return None
        self._flight = None
        self.wake.set()
        if not error:
            for name, version in flight.versions.items():
                self._note(name, version)
            return None
        names = list(flight.versions)
        if len(names) > 1:
            middle = len(names) // 2
            self._halves.extendleft([names[middle:], names[:middle]])
            return None
        self._refused[names[0]] = flight.versions[names[0]]
        return Refusal(names[0], error)

    def _note(self, name: str, version: str | None) -> None:
        if version is None:
            self._held.pop(name, None)
        else:
            self._held[name] = version

    def took(self, name: str, table: Table) -> bool | None:
        """Whether the edge holds this scope as it is now; None: not known yet."""
        if name in self._dirty or (self._flight and name in self._flight.versions):
            return None
        version = _version(table, name)
        if self._held.get(name) == version:
            return True
        return False if name in self._refused else None


def _version(table: Table, name: str) -> str | None:
    found = table.get(name)
    return found.version if found else None
