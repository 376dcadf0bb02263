"""How the process runtime runs what is made for an image: a part of a profile, by image."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError, ValidationInfo

from apphub.settings.problems import findings
from apphub.settings.profile import Profile
from apphub.settings.values import Place, Word, located

#: Keys of a profile that say how it is run.
PROGRAM = (
    *("kind", "command", "environment_path", "environment", "working_dir", "ready_path", "start_timeout"),
    *(
        "auth",
        "strip_prefix",
        "own_domain",
        "identity_headers",
        "options",
        "extra_options",
        "options_variable",
    ),
)


def _programs(value: dict[str, dict[str, Any]], info: ValidationInfo) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    problems: list[tuple[Place, str]] = []
    for image, keys in value.items():
        words = f"says nothing of how an image is run; known: {', '.join(PROGRAM)}"
        problems += [((image, key), words) for key in sorted(set(keys) - set(PROGRAM))]
        given = {key: keys[key] for key in keys if key in PROGRAM}
        raw = {**given, "slug": "image"}
        try:
            profile = Profile.model_validate(raw, context=info.context)
        except ValidationError as error:
            problems += [((image, *place), told) for place, told in findings(error, raw, Profile)]
            continue
        # Paths in it are absolute from here on.
        found[image] = {key: getattr(profile, key) for key in given}
    if problems:
        raise located("images", problems)
    return found


Programs = Annotated[
    dict[str, dict[str, Any]], AfterValidator(_programs), Word("map of images to keys of a profile")
]


def program_of(image: str, programs: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """How to run an image: as it is named, else without its digest, else without its tag."""
    name, _, _ = image.partition("@")
    folder, slash, last = name.rpartition("/")
    for one in (image, name, f"{folder}{slash}{last.partition(':')[0]}"):
        if one in programs:
            return programs[one]
    return None
