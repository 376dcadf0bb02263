"""News of what changed: a number per topic that only rises, and events that wake who waits.

The news is a hint, never the truth: whoever is woken reads rows again, and whoever missed
the news finds them by the next look.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Topic of everything that decides what a token or session may do.
RIGHTS = "rights"
#: Topic of rows that the reconciler should look at.
DUE = "due"
#: Topic of what may be launched, and by whom.
PROFILES = "profiles"
#: Topic of those who may have lost the right to launch what they run.
CHECKS = "checks"


def server_topic(server_id: int) -> str:
    """The topic of one server's row and progress."""
    return f"server:{server_id}"


class Changes:
    """Topics of this process."""

    def __init__(self) -> None:
        self._versions: defaultdict[str, int] = defaultdict(int)
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def version(self, topic: str) -> int:
        """How often the topic has changed; only for the few topics that `keep` a count."""
        return self._versions[topic]

    def tell(self, topics: Iterable[str]) -> None:
        """Wake all who listen to these topics."""
        for topic in topics:
            if topic == RIGHTS:
                self._versions[topic] += 1
            for event in self._listeners.get(topic, ()):
                event.set()

    def tell_all(self) -> None:
        """Wake everybody: news may have been missed."""
        self.tell([RIGHTS, *self._listeners])

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
