"""News of what changed: a number per topic that only rises, and events that wake who waits.

The news is a hint, never the truth: whoever is woken reads rows again, and whoever missed
the news finds them by the next look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Topic of everything that decides what a token or session may do, whoever's it is. What decides only what
#: certain people may do is told by `rights_of`; who listens to this topic hears that too.
RIGHTS = "rights"
#: People whose rights changed together and are still told of one by one; beyond, it is said of everybody.
ONE_BY_ONE = 20
#: Topic of rows that the reconciler should look at.
DUE = "due"
#: Topic of what may be launched, and by whom.
PROFILES = "profiles"
#: Topic of those who may have lost the right to launch what they run.
CHECKS = "checks"
#: Topic of the services that have routes.
SERVICES = "services"
#: Topic of those whose open streams must end.
ENDED = "ended"
#: Topic of the replicas there are, and of how many edges each has.
REPLICAS = "replicas"
#: Kind of the topics that say whose routes may have changed.
ROUTES = "routes"
#: Topic of servers that were deleted and can still be brought back.
REMOVALS = "removals"
#: Topic of bulk actions that wait to be done.
BULK = "bulk"


def rights_of(user_ids: Iterable[int]) -> list[str]:
    """The topics of the rights of these people, with all of their tokens and sessions."""
    ids = list(user_ids)
    return [f"{RIGHTS}:{user_id}" for user_id in ids] if len(ids) <= ONE_BY_ONE else [RIGHTS]


def server_topic(server_id: int) -> str:
    """The topic of one server's row and progress."""
    return f"server:{server_id}"


def is_hint(topic: str) -> bool:
    """Whether nobody relies on hearing of it: rows are looked at again soon by all whom it concerns."""
    return topic == DUE or topic.startswith("server:")


def routes_topic(user: str) -> str:
    """The topic of the routes of one person's servers."""
    return f"{ROUTES}:{user}"


async def heard(news: asyncio.Event, within: float | None) -> bool:
    """Wait for news, at most so many seconds (None: as long as it takes); whether there was any."""
    try:
        async with asyncio.timeout(within):
            return await news.wait()
    except TimeoutError:
        return False


class Box:
    """Names that news of one kind has brought, each once; or word that any of them may have been missed."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._missed = True  # what came before it was there
        self._news = asyncio.Event()
        self._news.set()

    def put(self, names: Iterable[str]) -> None:
        """There is news of these."""
        self._names.update(names)
        if self._names:
            self._news.set()

    def miss(self) -> None:
        """There may be news of anybody."""
        self._missed = True
        self._news.set()

    async def take(self) -> tuple[set[str], bool]:
        """Wait for news; the names, and whether others may have been missed."""
        await self._news.wait()
        self._news.clear()
        found = self._names, self._missed
        self._names, self._missed = set(), False
        return found


class Ages:
    """When each of many things last changed, by a count that only rises.

    Those that changed longest ago are forgotten, as if everything had changed when they did: what is
    asked about may look newer than it is, never older.
    """

    def __init__(self, most: int = 20_000) -> None:
        self.count = 0
        self._most = most
        self._all = 0
        self._last: dict[str, int] = {}

    def changed(self, name: str) -> None:
        """This one has changed."""
        self.count += 1
        self._last.pop(name, None)
        self._last[name] = self.count
        if len(self._last) > self._most:
            self._all = self._last.pop(next(iter(self._last)))

    def all_changed(self) -> None:
        """Any of them may have changed."""
        self.count += 1
        self._all = self.count
        self._last.clear()

    def unchanged(self, name: str | None, count: int) -> bool:
        """Whether it has surely not changed since the count was this; None: what changes only when all do."""
        return count >= self._all and (name is None or count >= self._last.get(name, 0))


class Changes:
    """Topics of this process."""

    def __init__(self) -> None:
        #: How often anything at all has changed, as far as this process knows: once for each of its commits.
        self.count = 0
        self._boxes: defaultdict[str, set[Box]] = defaultdict(set)
        #: Whose rights changed when, by the id of the user.
        self.rights = Ages()
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def tell(self, topics: Iterable[str]) -> None:
        """Something was written: wake all who listen to these topics."""
        self.count += 1
        for topic in topics:
            kind, colon, name = topic.partition(":")
            if kind == RIGHTS:
                topic = RIGHTS
                if colon:
                    self.rights.changed(name)
                else:
                    self.rights.all_changed()
            elif colon:
                for box in self._boxes.get(kind, ()):
                    box.put([name])
            for event in self._listeners.get(topic, ()):
                event.set()

    def tell_all(self) -> None:
        """Wake everybody: news may have been missed."""
        self.tell([RIGHTS, *self._listeners])
        for boxes in self._boxes.values():
            for box in boxes:
                box.miss()

    @contextmanager
    def gather(self, kind: str) -> Iterator[Box]:
        """The names that follow in all topics of a kind, `kind:name`."""
        box = Box()
        self._boxes[kind].add(box)
        try:
            yield box
        finally:
            self._boxes[kind].discard(box)

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of the topics changes; the listener clears it."""
        event = asyncio.Event()
        for topic in topics:
            self._listeners[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._listeners[topic].discard(event)
                if not self._listeners[topic]:
                    del self._listeners[topic]
