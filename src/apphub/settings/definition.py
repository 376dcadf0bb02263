"""A profile as plain values, as it is kept and sent, and back.

The name and the groups are not part of a definition: the name never changes, and who may
launch a profile is kept beside it, for it changes on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from apphub.settings.problems import Problem, SettingsError, findings, written
from apphub.settings.profile import Profile

#: Keys of a profile that its definition does not hold.
APART = ("slug", "groups")


def definition_of(profile: Profile) -> dict[str, Any]:
    """What differs from the defaults, as JSON has it."""
    found: dict[str, Any] = _plain(profile.model_dump(exclude_defaults=True, exclude=set(APART)))
    return found


def profile_of(slug: str, definition: Mapping[str, Any], groups: Any = (), *, where: str = "") -> Profile:
    """The profile that a definition describes. Raises `SettingsError` with everything that is wrong."""
    values = {**definition, "slug": slug, "groups": groups}
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        found = findings(error, values, Profile)
        raise SettingsError([Problem(where, written(place), words) for place, words in found]) from None


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
