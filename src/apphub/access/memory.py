"""Whose a credential was found to be, until anything that decides their rights changes."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from msgspec import Struct

from apphub.access.actor import Actor
from apphub.db.changes import Ages
from apphub.kit import clock

#: Resolved credentials kept.
REMEMBERED = 20_000


class Seen(Struct):
    """A credential that has been looked up."""

    #: How far `changes.rights` had counted before it was looked up.
    count: int
    actor: Actor
    #: Who it is in `changes.rights`; None for a service, whose rights change only when everybody's do.
    whose: str | None
    #: When it must be looked up again: the credential or one of its rights ends then.
    until: datetime | None
    #: When its use was last written down.
    noted: datetime


class Memory:
    """The credentials used last, by any key that tells one from another."""

    def __init__(self, rights: Ages) -> None:
        self._rights = rights
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def recall(self, key: str) -> Seen | None:
        """What was found, if it still holds."""
        seen = self._seen.get(key)
        if seen is None or over(seen.until) or not self._rights.unchanged(seen.whose, seen.count):
            return None
        self._seen.move_to_end(key)
        return seen

    def keep(self, key: str, seen: Seen) -> None:
        """Remember it, in the place of the one not used for longest where there are too many."""
        self._seen[key] = seen
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def over(end: datetime | None) -> bool:
    """Whether this end has come; None never does."""
    return end is not None and end <= clock.now()
