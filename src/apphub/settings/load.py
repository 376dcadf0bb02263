"""Reading the settings: the file, then the environment over it, then the command line over both.

Everything that is wrong is told at once, each with its file and line, or with the variable or
option it came from. That takes three steps: put the values together and remember where each is
from, check them, and look up the origin of every complaint.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from apphub.settings.document import Document, read_document
from apphub.settings.environment import Override, given, read_environment
from apphub.settings.model import Settings
from apphub.settings.problems import Problem, SettingsError, findings, written
from apphub.settings.references import dangling
from apphub.settings.values import Place, Reading


class Origins(Struct, frozen=True):
    """Where each value is from."""

    #: How the file is named in messages; None: there is none.
    file: Path | None
    known: Mapping[Place, str]

    def problem(self, place: Place, message: str) -> Problem:
        """A problem at a place, with the nearest origin known."""
        where = str(self.file) if self.file is not None else "settings"
        for depth in range(len(place), 0, -1):
            if place[:depth] in self.known:
                where = self.known[place[:depth]]
                break
        return Problem(where, written(place), message)


class Loaded(Struct, frozen=True):
    """Settings, and what is remembered of how they were read."""

    settings: Settings
    origins: Origins
    #: Files that secrets were read from.
    secret_files: tuple[Path, ...]


def load(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings; `overrides` are values by path (`limits.active_servers`), over all else.

    Raises `SettingsError` with everything that is wrong.
    """
    return read(path, environ, overrides).settings


def read(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Like `load`, with the origin of every value. Raises `SettingsError`."""
    document = read_document(path) if path is not None else Document()
    variables, problems = read_environment(environ, Settings)
    options = [
        Override(f"--{key.replace('_', '-')}", tuple(key.split(".")), given(value))
        for key, value in (overrides or {}).items()
    ]
    origins = Origins(path, _origins(path, document, [*variables, *options]))
    reading = Reading((path.parent if path is not None else Path()).absolute())
    settings, more = _validated(document.values, reading)
    problems += [origins.problem(place, message) for place, message in more]
    if problems or settings is None:
        raise SettingsError(sorted(problems, key=in_order))
    return Loaded(settings, origins, tuple(reading.secret_files))


def _origins(path: Path | None, document: Document, overrides: list[Override]) -> dict[Place, str]:
    known = {place: f"{path}:{line}" for place, line in document.lines.items()}
    for override in overrides:
        if _put(document.values, override.place, override.value):
            depth = len(override.place)
            known = {place: where for place, where in known.items() if place[:depth] != override.place}
            known[override.place] = override.where
    return known


def _put(values: dict[str, Any], place: Place, value: Any) -> bool:
    """Lay a value over others. False where the file has something else than a map: that is told instead."""
    parent: Any = values
    for step in place[:-1]:
        if parent.get(step) is None:
            parent[step] = {}
        parent = parent[step]
        if not isinstance(parent, dict):
            return False
    parent[place[-1]] = value
    return True


def _validated(
    values: Mapping[str, Any], reading: Reading
) -> tuple[Settings | None, list[tuple[Place, str]]]:
    try:
        return Settings.model_validate(values, context=reading), []
    except ValidationError as error:
        found = findings(error, values, Settings)
        # Names are compared only once all values are right; they are told with the others all the same.
        return None, list(dict.fromkeys([*found, *dangling(values)]))


def in_order(problem: Problem) -> tuple[str, int, str]:
    """By file, then by line as a number, then by key: the order to tell problems in."""
    file, colon, line = problem.where.rpartition(":")
    return (file, int(line), problem.path) if colon and line.isdigit() else (problem.where, 0, problem.path)
