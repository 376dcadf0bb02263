"""Environment variables as settings: `APPHUB_LIMITS__CONCURRENT_STARTS=5`.

A variable's name is the path of a key, `__` between its steps; names within a map (such as
groups) are taken as they are written. Its text is read as the kind of value that belongs
there: a list of plain values between commas, lists of sections and maps as JSON. A variable
with the prefix that means nothing is an error: a mistyped one would be silently ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from apphub.settings import shapes
from apphub.settings.problems import Problem, written
from apphub.settings.values import Given, Place, Section

PREFIX = "APPHUB_"
#: Variables with the prefix that are no settings: for tests, the mark of launched processes, and the
#: token of commands that speak to a running hub.
RESERVED = ("APPHUB_OBJECT", "APPHUB_TOKEN")
RESERVED_PREFIX = "APPHUB_TEST_"


class Override(Struct, frozen=True):
    """A value from outside the file."""

    where: str
    place: Place
    value: Any


def read_environment(environ: Mapping[str, str], root: type[Section]) -> tuple[list[Override], list[Problem]]:
    """The settings among the variables, the less deep first, and what is wrong with the others."""
    overrides, problems = [], []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED or name.startswith(RESERVED_PREFIX):
            continue
        try:
            place, shape = _place(name, root)
        except LookupError as error:
            problems.append(Problem(name, "", str(error.args[0])))
            continue
        try:
            overrides.append(Override(name, place, parse(environ[name], shape)))
        except ValueError as error:
            problems.append(Problem(name, written(place), str(error)))
    return sorted(overrides, key=lambda override: len(override.place)), problems


def variable(path: str) -> str:
    """The variable that sets the key of this path."""
    return PREFIX + "__".join(step if step == "NAME" else step.upper() for step in path.split("."))


def parse(text: str, shape: shapes.Shape) -> Any:
    """The text of a variable as the kind of value that is wanted. Raises ValueError in words."""
    if not text.strip() and shape.nullable:
        return None
    plain = shape.inner is not None and shape.inner.kind == "value"
    if shape.kind == "list" and plain and not text.lstrip().startswith("["):
        if "`everyone`" in shape.word and text == "everyone":
            return Given(text)
        return [Given(item.strip()) for item in text.split(",") if item.strip()]
    if shape.kind == "value" and not (shape.word == "secret" and text.startswith("{")):
        return Given(text)
    try:
        return given(json.loads(text))
    except (ValueError, RecursionError):
        if shape.kind == "value":
            return Given(text)
        wanted = "a list, between commas or" if plain else "a list" if shape.kind == "list" else "an object"
        raise ValueError(f"must be {wanted} as JSON") from None


def given(value: Any) -> Any:
    """The value with all text in it marked as not from the file."""
    if isinstance(value, str):
        return Given(value)
    if isinstance(value, list):
        return [given(item) for item in value]
    if isinstance(value, dict):
        return {key: given(item) for key, item in value.items()}
    return value


def _place(name: str, root: type[Section]) -> tuple[Place, shapes.Shape]:
    place: Place = ()
    shape = shapes.of_section(root)
    steps = name.removeprefix(PREFIX).split("__")
    for step in steps:
        if shape.kind == "list":
            raise LookupError(f"goes into a list; set {variable(written(place))} as JSON instead")
        key = step if shape.kind == "map" else step.lower()
        below = shapes.at((*place, key), root) if key else None
        if below is None:
            raise LookupError(f"names no setting{_hint(name, root)}")
        place, shape = (*place, key), below
    return place, shape


def _hint(name: str, root: type[Section]) -> str:
    # Without the prefix, which would make everything look alike.
    known = {variable(key.path).removeprefix(PREFIX) for key in shapes.keys(root) if "[]" not in key.path}
    near = get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.7)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""
