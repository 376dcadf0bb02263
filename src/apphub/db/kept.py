"""What was read, kept for as long as it is surely true.

Everything kept is forgotten as soon as anything is written: coarse, but there is no change that
it could miss, and none that would have to tell of itself. Other replicas tell what decides rights
and what servers do, but not all that they write (when somebody was last seen), so nothing is kept
for longer than a second.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Generic, TypeVar

from apphub.db.changes import Changes

T = TypeVar("T")

#: Seconds that anything is kept at most.
LIFE = 1.0
#: Values at once; when there are more, all are forgotten.
MOST = 5_000


class Kept(Generic[T]):
    """Values by key. Note `changes.count`, read what makes the value, then `keep` it with that number."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._values: dict[Hashable, T] = {}
        self._count = -1
        self._until = 0.0

    def find(self, key: Hashable) -> T | None:
        """The value, if it is still true."""
        if self._count != self._changes.count or time.monotonic() >= self._until:
            return None
        return self._values.get(key)

    def keep(self, key: Hashable, value: T, count: int) -> None:
        """Keep a value that was read when the count was this; of no effect when something was written since."""
        now = time.monotonic()
        if count != self._changes.count:
            return
        if count != self._count or now >= self._until or len(self._values) >= MOST:
            self._values.clear()
            self._count, self._until = count, now + LIFE
        self._values[key] = value
