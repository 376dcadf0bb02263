"""A runtime that starts nothing: every server runs at once, in memory.

For measuring the hub itself with very many servers, and for tests that want a runtime they
can tell what happens. Nothing survives the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apphub.kit.addresses import Address
from apphub.runtimes.base import LaunchSpec, Life, Ref, Sight

ABSENT = Sight(Life.ABSENT)


class NullRuntime:
    """Says that servers run. With `address`, all of them are said to be there."""

    watches = True
    keeps = frozenset[str]()

    def __init__(self, place: str = "nowhere", address: Address | None = None) -> None:
        self.place = place
        self._address = address
        self._sights: dict[Ref, Sight] = {}
        self._callbacks: list[Callable[[Ref], None]] = []

    def on_exit(self, callback: Callable[[Ref], None]) -> None:
        """Call `callback` whenever an object ends."""
        self._callbacks.append(callback)

    async def create(self, spec: LaunchSpec) -> Sight:
        """It runs."""
        return self._sights.setdefault(spec.ref, Sight(Life.RUNNING, self._address or spec.address))

    async def observe(self, ref: Ref) -> Sight:
        """What was said of it last."""
        return self._sights.get(ref, ABSENT)

    async def delete(self, ref: Ref, *, grace: float) -> Sight:
        """It is gone."""
        sight = self._sights.pop(ref, ABSENT)
        if sight.life is Life.RUNNING:
            self._tell(ref)
        return ABSENT

    async def list(self) -> Mapping[Ref, Sight]:
        """All of them."""
        return dict(self._sights)

    async def logs(self, ref: Ref, *, tail: int) -> str:
        """Nothing was printed."""
        return ""

    async def forget(self, server_id: int) -> None:
        """Nothing is kept of a server that is gone."""

    async def close(self) -> None:
        """Nothing is held."""

    def end(self, ref: Ref, exit_code: int = 0, detail: str = "") -> None:
        """Let a running object end by itself, as a test or a benchmark wishes."""
        sight = self._sights.get(ref, ABSENT)
        if sight.life is Life.RUNNING:
            self._sights[ref] = Sight(Life.EXITED, sight.address, exit_code, detail)
            self._tell(ref)

    def _tell(self, ref: Ref) -> None:
        for callback in self._callbacks:
            callback(ref)
