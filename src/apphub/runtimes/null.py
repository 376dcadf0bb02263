"""A runtime that starts nothing: every server runs at once, as a note that says so.

For measuring the hub itself with very many servers, and for tests that want a runtime they
can tell what happens. Notes in a folder are seen by all hubs of that folder, and outlive them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path

import msgspec

from apphub.runtimes.base import LaunchSpec, Life, Ref, Sight

ABSENT = Sight(Life.ABSENT)

Notes = MutableMapping[Ref, Sight]


class NullRuntime:
    """Says that servers run, where they were asked to; `notes` (in memory, or `NotesIn`) are all there is of them."""

    watches = True
    keeps = frozenset[str]()

    def __init__(self, place: str = "nowhere", notes: Notes | None = None) -> None:
        self.place = place
        self._notes: Notes = {} if notes is None else notes
        self._callbacks: list[Callable[[Ref], None]] = []

    def on_exit(self, callback: Callable[[Ref], None]) -> None:
        """Call `callback` whenever an object ends."""
        self._callbacks.append(callback)

    async def create(self, spec: LaunchSpec) -> Sight:
        """It runs."""
        return self._notes.setdefault(spec.ref, Sight(Life.RUNNING, spec.address))

    async def observe(self, ref: Ref) -> Sight:
        """What was said of it last."""
        return self._notes.get(ref, ABSENT)

    async def delete(self, ref: Ref, *, grace: float) -> Sight:
        """It is gone."""
        sight = self._notes.pop(ref, ABSENT)
        if sight.life is Life.RUNNING:
            self._tell(ref)
        return ABSENT

    async def list(self) -> Mapping[Ref, Sight]:
        """All of them."""
        return dict(self._notes)

    async def logs(self, ref: Ref, *, tail: int) -> str:
        """Nothing was printed."""
        return ""

    async def forget(self, server_id: int) -> None:
        """Nothing is kept of a server that is gone."""

    async def close(self) -> None:
        """Nothing is held."""

    def end(self, ref: Ref, exit_code: int = 0, detail: str = "") -> None:
        """Let a running object end by itself, as a test or a benchmark wishes."""
        sight = self._notes.get(ref, ABSENT)
        if sight.life is Life.RUNNING:
            self._notes[ref] = Sight(Life.EXITED, sight.address, exit_code, detail)
            self._tell(ref)

    def _tell(self, ref: Ref) -> None:
        for callback in self._callbacks:
            callback(ref)


class NotesIn(MutableMapping[Ref, Sight]):
    """One small file for each object, in a folder that is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, ref: Ref) -> Sight:
        try:
            return msgspec.json.decode((self._folder / str(ref)).read_bytes(), type=Sight)
        except FileNotFoundError:
            raise KeyError(ref) from None

    def __setitem__(self, ref: Ref, sight: Sight) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{ref}.{os.getpid()}"  # nobody reads half of it
        draft.write_bytes(msgspec.json.encode(sight))
        draft.rename(self._folder / str(ref))

    def __delitem__(self, ref: Ref) -> None:
        try:
            (self._folder / str(ref)).unlink()
        except FileNotFoundError:
            raise KeyError(ref) from None

    def __iter__(self) -> Iterator[Ref]:
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            if not file.name.startswith("."):
                server_id, _, attempt = file.name.partition("-")
                yield Ref(int(server_id), int(attempt))

    def __len__(self) -> int:
        return sum(1 for _ in self)
