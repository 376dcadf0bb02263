"""Which visitors' open streams must end, as a file that the edge reads while data moves.

A route change reaches requests, but not a websocket that is open already. So the edge looks at
what passes through streams (see `streams.lua`) and asks this list once a second, at no cost
where nothing moves. The file outlives the hub, as the edge does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from apphub.proxy.base import Visitor
from apphub.proxy.envoy.rundir import private_directory, write_private


class EndedStreams:
    """The list; an entry is kept for as long as a stream can live (seconds)."""

    def __init__(self, path: Path, life: float) -> None:
        self._path = path
        self._life = life
        until = time.monotonic() + life
        self._until = dict.fromkeys(_read(path), until)

    def add(self, visitors: Iterable[Visitor]) -> None:
        """The streams that these have open end."""
        now = time.monotonic()
        self._until = {line: until for line, until in self._until.items() if until > now}
        self._until.update((_line(visitor), now + self._life) for visitor in visitors)
        self._write()

    def discard(self, visitor: Visitor) -> None:
        """This one may visit again."""
        if self._until.pop(_line(visitor), None) is not None:
            self._write()

    def _write(self) -> None:
        private_directory(self._path.parent)
        write_private(self._path, "".join(f"{line}\n" for line in self._until).encode())


def _line(visitor: Visitor) -> str:
    return f"{visitor.guard} {visitor.session}"


def _read(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
