"""A data plane without an edge: it remembers what it was told, and says what a test wants said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from apphub.proxy.base import Scope, Visitor


class MemoryPlane:
    """One edge that acknowledges at once; none while `edges` is empty."""

    def __init__(self) -> None:
        self.edges: frozenset[str] = frozenset({"edge"})
        self.table: dict[str, Scope] = {}
        #: Whose streams were ended.
        self.ended: set[Visitor] = set()
        #: Whether the edges take what they are told.
        self.takes = True

    async def start(self, table: Mapping[str, Scope]) -> None:
        self.table = {name: scope for name, scope in table.items() if scope}

    async def publish(self, changes: Mapping[str, Scope]) -> bool:
        if not self.edges:
            return False
        self.note(changes)
        return self.takes

    def note(self, changes: Mapping[str, Scope]) -> None:
        for name, scope in changes.items():
            self.table.pop(name, None)
            if scope:
                self.table[name] = scope

    def on_edges(self, callback: Callable[[int], None]) -> None:
        callback(len(self.edges))

    def end_streams(self, visitors: Iterable[Visitor]) -> None:
        self.ended = set(visitors)

    async def close(self) -> None:
        return None
