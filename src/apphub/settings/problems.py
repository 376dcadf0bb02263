"""What is wrong with settings, in words: where, which key, what would be right.

The words are for whoever edits the file, so nothing of the machinery shows. Values are not
repeated in them except where a kind of value does so itself: some are secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct
from pydantic import ValidationError

from apphub.errors import HubError, shown
from apphub.settings import shapes
from apphub.settings.values import PATTERN_WORDS, Place, Section


class Problem(Struct, frozen=True):
    """One thing that is wrong: `apphub.yaml:12: limits.active_servers: must be 0 or more`."""

    #: File and line, or the variable or option that holds the value.
    where: str
    #: The key, as a path; empty for the whole file.
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class SettingsError(HubError):
    """Settings that cannot be used: everything that is wrong with them, at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def written(place: Place) -> str:
    """A place as people write it: `profiles[0].command`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def findings(error: ValidationError, data: Any, root: type[Section]) -> list[tuple[Place, str]]:
    """Every problem of a failed validation: its place in `data` and what is wrong, in words."""
    found: dict[tuple[Place, str], None] = {}
    for item in error.errors(include_url=False, include_input=False):
        raw = tuple(step for step in item["loc"] if step != "[key]")
        place = raw if item["type"] == "missing" else _existing(raw, data)
        if item["type"] == "too_short" and len(_value(place, data) or ()) >= item["ctx"]["min_length"]:
            # Items that are wrong are not counted; they are told themselves.
            continue
        found[place, _message(item["type"], item.get("ctx", {}), item["msg"], place, root)] = None
    return list(found)


def _existing(place: Place, data: Any) -> Place:
    """The part of a place that exists in the data: the machinery adds names of alternatives at the end."""
    for depth, step in enumerate(place):
        if not _holds(data, step):
            # One step further may be a key that is left out: its section complains about it.
            left_out = isinstance(data, Mapping) and depth == len(place) - 1
            return place if left_out else place[:depth]
        data = data[step]
    return place


def _value(place: Place, data: Any) -> Any:
    for step in place:
        data = data[step]
    return data


def _holds(data: Any, step: str | int) -> bool:
    if isinstance(data, Mapping):
        return step in data
    return isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)


def _message(kind: str, context: Mapping[str, Any], said: str, place: Place, root: type[Section]) -> str:
    if kind == "in_words":
        return str(context["words"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown(place, root)
    if kind == "literal_error":
        return f"must be one of {context['expected']}".replace("'", "`")
    if kind == "string_pattern_mismatch":
        return PATTERN_WORDS.get(context["pattern"], f"must match the pattern {context['pattern']}")
    words = _WORDS.get(kind)
    if words is None:
        return said.replace("Input should be", "must be").replace("Value", "it")
    return words(context) if callable(words) else words


def _unknown(place: Place, root: type[Section]) -> str:
    name = str(place[-1])
    parent = shapes.at(place[:-1], root)
    known = list(parent.section.model_fields) if parent is not None and parent.section else []
    if near := get_close_matches(name.replace("-", "_").lower(), known, n=1):
        return f"is unknown; did you mean `{near[0]}`?"
    elsewhere = [key.path for key in shapes.keys(root) if key.path.rpartition(".")[2] == name]
    if elsewhere:
        return f"is unknown here; it belongs to {' or '.join(f'`{path}`' for path in elsewhere[:2])}"
    return f"is unknown; known here: {', '.join(known)}" if len(name) <= 64 else f"{shown(name)} is unknown"


def _count(context: Mapping[str, Any], key: str) -> str:
    number = context[key]
    what = "character" if context.get("field_type") in (None, "String", "Value") else "item"
    return f"{number} {what}{'' if number == 1 else 's'}"


_WORDS: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    "missing": "is missing",
    "string_type": "must be text; put it in quotes",
    "string_unicode": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list: `[a, b]`, or one line `- a` for each item",
    "dict_type": "must be a map of names to values",
    "model_type": "must be a group of keys",
    "model_attributes_type": "must be a group of keys",
    "greater_than": lambda context: f"must be more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be {context['ge']:g} or more",
    "less_than": lambda context: f"must be less than {context['lt']:g}",
    "less_than_equal": lambda context: f"must be {context['le']:g} or less",
    "too_short": lambda context: f"must have at least {_count(context, 'min_length')}",
    "too_long": lambda context: f"must have at most {_count(context, 'max_length')}",
    "string_too_short": lambda context: f"must have at least {_count(context, 'min_length')}",
    "string_too_long": lambda context: f"must have at most {_count(context, 'max_length')}",
}
