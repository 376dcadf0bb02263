"""All profiles that the settings offer: their own, and those of the files they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from apphub.importer.completing import Known, completed
from apphub.importer.eoepca import Converted, convert
from apphub.settings import Problem, Profile, Settings, SettingsError, effective_profiles
from apphub.settings.document import Document, read_document
from apphub.settings.problems import findings, written
from apphub.settings.programs import program_of
from apphub.settings.values import Place


class Offered(Struct, frozen=True):
    """Profiles, and what deserves a second look: keys without effect, programs that are missing."""

    profiles: tuple[Profile, ...]
    notes: tuple[Problem, ...] = ()


class _File(Struct, frozen=True):
    path: Path
    document: Document

    def problem(self, place: Place, words: str) -> Problem:
        lines = self.document.lines
        depth = next((depth for depth in range(len(place), 0, -1) if place[:depth] in lines), 0)
        where = f"{self.path}:{lines[place[:depth]]}" if depth else str(self.path)
        return Problem(where, written(place), words)


def collect(settings: Settings) -> Offered:
    """The profiles of the settings and of their files. Raises `SettingsError` with all that is wrong."""
    if not settings.profile_files:
        return Offered(effective_profiles(settings))
    profiles = list(settings.profiles or ())
    problems: list[Problem] = []
    notes: list[Problem] = []
    slugs = {profile.slug: "the settings" for profile in profiles}
    default = any(profile.default for profile in profiles)
    for path in settings.profile_files:
        try:
            found = convert_file(path, settings.images, settings.config_maps)
        except SettingsError as error:
            problems += error.problems
            continue
        notes += found.notes
        for profile in found.profiles:
            if profile.slug in slugs:
                words = f"the profile {profile.slug} is in {slugs[profile.slug]} already; choose another slug"
                problems.append(Problem(str(path), "", words))
                continue
            slugs[profile.slug] = str(path)
            if profile.default and default:
                notes.append(
                    Problem(str(path), "", f"{profile.slug} is not the default: another one is already")
                )
                profile = profile.model_copy(update={"default": False})
            default = default or profile.default
            profiles.append(profile)
    if problems:
        raise SettingsError(problems)
    return Offered(tuple(profiles), tuple(notes))


def convert_file(
    path: Path, images: Mapping[str, dict[str, Any]], config_maps: Mapping[str, Mapping[str, str]]
) -> Offered:
    """The profiles of one file of the Application Hub. Raises `SettingsError` with all that is wrong in it."""
    file = _File(path, read_document(path))
    values = file.document.values
    notes = [
        file.problem((key,), "is unknown and has no effect") for key in sorted(set(values) - {"profiles"})
    ]
    problems = list(_form(file, values.get("profiles")))
    made: list[tuple[Converted, Profile]] = []
    for one in convert(values):
        raw = _with_program(one, images)
        try:
            made.append((one, Profile.model_validate(raw)))
        except ValidationError as error:
            found = findings(error, raw, Profile)
            problems += [file.problem(one.origin(place), words) for place, words in found]
    if problems:
        raise SettingsError(problems)
    known = Known.of(config_maps, [profile for _, profile in made])
    profiles = []
    for one, profile in made:
        profile, missing = completed(profile, known)
        profiles.append(profile)
        notes += [file.problem(place, words) for place, words in _notes(one, profile)]
        notes += [file.problem(one.place, words) for words in missing]
    return Offered(tuple(profiles), tuple(notes))


def _form(file: _File, profiles: Any) -> Iterator[Problem]:
    if not isinstance(profiles, list):
        yield file.problem(("profiles",), "must be a list of profiles")
        return
    for position, profile in enumerate(profiles):
        if not isinstance(profile, Mapping):
            yield file.problem(("profiles", position), "must be a group of keys")


def _with_program(one: Converted, images: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    program = program_of(one.image, dict(images))
    return {**one.profile, **(program if program is not None else {"kind": "image"})}


def _notes(one: Converted, profile: Profile) -> Iterable[tuple[Place, str]]:
    for place in one.unknown:
        yield place, "is unknown: kept, and without effect"
    if profile.kind == "image":
        yield (
            one.origin(("image",)),
            f"nothing under `images` says how a process runs {one.image!r}: it cannot be started",
        )
    assert profile.container is not None
    beyond = [f"{written(place)} ({words})" for place, words in profile.container.beyond_processes()]
    if beyond:
        yield one.place, f"{profile.slug}: as a process it is not given {'; '.join(beyond)}"
