"""Who is left of an object that is being deleted: asked by many, answered together.

One look at `/proc` costs the same for one object as for a thousand, so those that ask while a
look is going on share the next one. They never share the one that is going on: it may already
have passed by what they ask about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct, field

#: Pid and start time of a main process.
Leader = tuple[int, int]
#: Asks the helper: objects by name, the signal, whether to spare the main process's group.
Signalling = Callable[[dict[str, Leader | None], int, bool], Awaitable[dict[str, int]]]


class _Batch(Struct):
    of: dict[str, Leader | None] = field(default_factory=dict)
    task: asyncio.Task[dict[str, int]] | None = None


class Roll:
    """Batches of looks, one at a time."""

    def __init__(self, signalling: Signalling) -> None:
        self._signalling = signalling
        self._lock = asyncio.Lock()
        self._next: dict[tuple[int, bool], _Batch] = {}
        self._tasks: set[asyncio.Task[dict[str, int]]] = set()

    async def call(self, name: str, leader: Leader | None, number: int, *, spare: bool = False) -> int:
        """How many processes the object had when they were sent this signal (0: none is sent)."""
        key = (number, spare)
        batch = self._next.setdefault(key, _Batch())
        batch.of[name] = leader
        if batch.task is None:
            batch.task = asyncio.create_task(self._look(key), name="processes of servers")
            self._tasks.add(batch.task)
            batch.task.add_done_callback(self._done)
        # Shielded: one asker who gives up must not take the look from the others.
        return (await asyncio.shield(batch.task))[name]

    async def close(self) -> None:
        """End what is going on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, key: tuple[int, bool]) -> dict[str, int]:
        async with self._lock:
            batch = self._next.pop(key)
            return await self._signalling(batch.of, *key)

    def _done(self, task: asyncio.Task[dict[str, int]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen by whoever asked
