"""The document of the API in words, for the page and the reference that are made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

_PLACE = "#/components/schemas/"
_PLAIN = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}


class Field(Struct, frozen=True):
    """A key of an object, or a parameter."""

    name: str
    kind: str
    about: str = ""
    required: bool = False


class Answer(Struct, frozen=True):
    """What is answered with a status."""

    status: int
    about: str
    kind: str = ""


class Operation(Struct, frozen=True, kw_only=True):
    """A method of a path."""

    method: str
    path: str
    about: str
    #: What of the caller is asked for.
    needs: str
    query: tuple[Field, ...] = ()
    headers: tuple[Field, ...] = ()
    body: str = ""
    answers: tuple[Answer, ...] = ()


class Section(Struct, frozen=True):
    """What belongs together."""

    name: str
    about: str
    operations: tuple[Operation, ...]


class Shape(Struct, frozen=True):
    """An object of JSON, or a list of words."""

    name: str
    about: str
    fields: tuple[Field, ...]
    words: str = ""


#: The first status that is a refusal.
REFUSED = 400


class Book(Struct, frozen=True):
    """The whole document."""

    about: str
    sections: tuple[Section, ...]
    shapes: tuple[Shape, ...]
    #: What a status of 400 or more means, wherever it is answered.
    refusals: tuple[Answer, ...] = ()


def book(document: Mapping[str, Any]) -> Book:
    """The document in words."""
    base = document["servers"][0]["url"]
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            found.setdefault(told["tags"][0], []).append(_operation(method.upper(), f"{base}{path}", told))
    sections = (
        Section(tag["name"], tag["description"], tuple(found[tag["name"]])) for tag in document["tags"]
    )
    shapes = (_shape(name, shape) for name, shape in document["components"]["schemas"].items())
    meanings = {one.status: one for told in found.values() for each in told for one in each.answers}
    return Book(
        document["info"]["description"],
        tuple(sorted(sections, key=lambda one: one.name)),
        tuple(shapes),
        tuple(meanings[status] for status in sorted(meanings) if status >= REFUSED),
    )


def words(schema: Mapping[str, Any]) -> str:
    """What a schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_PLACE)
    if "anyOf" in schema:
        return _joined(words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return _joined(f'"{one}"' if isinstance(one, str) else str(one).lower() for one in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {words(schema.get('items', {}))}"
        case "object":
            values = schema.get("additionalProperties")
            return f"map of {words(values)}" if isinstance(values, dict) else "object"
        case "string" if schema.get("format") == "date-time":
            return "moment"
        case str(kind):
            return _PLAIN.get(kind, kind)
        case _:
            return "anything"


def _joined(parts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(parts))


def _operation(method: str, path: str, told: Mapping[str, Any]) -> Operation:
    return Operation(
        method=method,
        path=path,
        about=told["summary"],
        needs=_needs(told),
        query=_parameters(told, "query"),
        headers=_parameters(told, "header"),
        body=_content(told.get("requestBody", {})),
        answers=tuple(
            Answer(int(status), answer["description"], _content(answer))
            for status, answer in told["responses"].items()
        ),
    )


def _parameters(told: Mapping[str, Any], where: str) -> tuple[Field, ...]:
    return tuple(
        Field(one["name"], words(one["schema"]), one["description"])
        for one in told.get("parameters", ())
        if one["in"] == where
    )


def _needs(told: Mapping[str, Any]) -> str:
    if not told["security"]:
        return "nothing: open to everybody"
    scopes = dict.fromkeys(scope for way in told["security"] for scope in next(iter(way.values())))
    if not scopes:
        return "somebody known"
    everywhere = ", without any filter" if "description" in told else ""
    return f"{_joined(scopes)}{everywhere}"


def _content(told: Mapping[str, Any]) -> str:
    for media, what in told.get("content", {}).items():
        if media == "application/json":
            return words(what["schema"])
        data = what["schema"].get("properties", {}).get("data")
        if media == "text/event-stream" and data is not None:
            return f"stream of events: {words(data['contentSchema'])}"
        form = f" ({words(what['schema'])})" if "form" in media else ""
        return f"{media}{form}"
    return ""


def _shape(name: str, shape: Mapping[str, Any]) -> Shape:
    required = shape.get("required", ())
    fields = tuple(
        Field(key, words(kind), kind.get("description", ""), key in required)
        for key, kind in shape.get("properties", {}).items()
    )
    return Shape(name, shape.get("description", ""), fields, words(shape) if "enum" in shape else "")
