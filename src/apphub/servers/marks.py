"""Where pages of a long list begin, so that a database need not count its way to each of them.

An offset makes it step over everything before: at 100,000 people that takes ten times as long as the page.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from apphub.db.changes import Changes
from apphub.db.kept import Kept

#: Places noted at once.
MOST = 2_000


class Marks:
    """Offsets of a list in the order of ids, each with the id that is there: true until something is written."""

    def __init__(self, changes: Changes) -> None:
        self._kept: Kept[list[tuple[int, int]]] = Kept(changes)

    def before(self, offset: int) -> tuple[int, int]:
        """The last known place up to an offset: its own offset, and an id that nothing before it has."""
        marks = self._kept.find("") or []
        at = bisect_right(marks, offset, key=lambda mark: mark[0])
        return marks[at - 1] if at else (0, 0)

    def note(self, offset: int, first: int, count: int) -> None:
        """The id at this offset, as it was read when `changes.count` was this."""
        marks = self._kept.find("") or []
        if len(marks) < MOST and self.before(offset)[0] != offset:
            insort(marks, (offset, first))
            self._kept.keep("", marks, count)
