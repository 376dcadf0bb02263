"""Follow the profiles in the settings file and in the files it names, without a restart.

The files are looked at every moment or so, and at once when somebody asks. What is wrong
with them changes nothing: the profiles stay as they were, and the log and the API say why.
Everything else in the settings still takes a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import structlog
from msgspec import Struct, field

from apphub.audit import By
from apphub.db import Database, DatabaseAway
from apphub.declared.newest import changed_at
from apphub.declared.profiles import apply_profiles
from apphub.importer import collect
from apphub.kit import clock
from apphub.profiles import Profiles
from apphub.settings import Settings, SettingsError

log = structlog.get_logger(__name__)

#: Seconds between two looks at the files.
EVERY = 1.0

Reader = Callable[[], Settings]
_Marks = tuple[tuple[str, int, int, int], ...]


class Reading(Struct, frozen=True):
    """How the last reading of the files went."""

    at: datetime
    problems: Sequence[str] = ()
    #: What deserves a second look.
    notes: Sequence[str] = ()
    changed: Sequence[str] = ()
    #: Parts of the settings that differ from those that count; they take a restart.
    waiting: Sequence[str] = field(default=())


class Reload:
    """Reads profiles again when their files change; `read` reads the settings, None: there is no file."""

    def __init__(
        self,
        db: Database,
        profiles: Profiles,
        settings: Settings,
        read: Reader | None = None,
        file: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._db = db
        self._profiles = profiles
        self._settings = settings
        self._read = read
        self._file = file
        self._files: tuple[Path, ...] = settings.profile_files
        self._marks = self._look()
        self._turn = asyncio.Lock()
        self.last = Reading(clock.now(), notes=notes)

    @property
    def files(self) -> tuple[Path, ...]:
        """What is followed."""
        return ((self._file,) if self._file is not None else ()) + self._files

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            if await asyncio.to_thread(self._look) != self._marks:
                await self.now()

    async def now(self, by: By | None = None) -> Reading:
        """Read the files and make the profiles so; what is wrong with them is in the answer.

        `by` is whoever asked for it, for the audit log; nobody when a file has changed.
        """
        async with self._turn:
            # Before reading: what changes meanwhile is seen by the next look.
            self._marks = await asyncio.to_thread(self._look)
            try:
                settings = await asyncio.to_thread(self._read) if self._read is not None else self._settings
                offered = await asyncio.to_thread(collect, settings)
            except SettingsError as error:
                problems = [str(problem) for problem in error.problems]
                log.error("profiles.unchanged", why="the settings are wrong", problems=problems)
                self.last = Reading(clock.now(), problems=problems)
                return self.last
            try:
                at = await asyncio.to_thread(changed_at, self.files)
                changed = await apply_profiles(self._db, offered.profiles, at, by)
            except DatabaseAway:
                self._marks = ()  # not seen yet
                raise
            await self._profiles.refresh()
            if self._files != settings.profile_files:
                self._files = settings.profile_files
                self._marks = await asyncio.to_thread(self._look)
            if changed:
                log.info("profiles.reloaded", changed=changed)
            self.last = Reading(
                clock.now(),
                notes=[str(note) for note in offered.notes],
                changed=changed,
                waiting=self._waiting(settings),
            )
            return self.last

    def _waiting(self, settings: Settings) -> list[str]:
        apart = {"profiles", "profile_files", "images", "config_maps", "bind", "data_dir"}
        return [
            name
            for name in type(settings).model_fields
            if name not in apart and getattr(settings, name) != getattr(self._settings, name)
        ]

    def _look(self) -> _Marks:
        marks = []
        for path in self.files:
            try:
                stat = path.stat()
            except OSError:
                marks.append((str(path), 0, 0, 0))
            else:
                marks.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(marks)
