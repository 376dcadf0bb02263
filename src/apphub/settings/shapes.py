"""What the settings look like from outside: which keys there are, and what kind each one is.

One walk over the model's types, used wherever the whole file is talked about: variables
(which kind of value?), messages (which key was meant?), and the reference.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from apphub.settings.values import Place, Section, Word

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "map"}


class Shape(Struct, frozen=True):
    """What kind of value belongs at a place."""

    kind: Literal["section", "list", "map", "value"]
    #: In words, for people: `list of text`.
    word: str
    nullable: bool = False
    section: type[Section] | None = None
    #: Of a list or a map: the shape of its items.
    inner: Shape | None = None


class Key(Struct, frozen=True):
    """One key of the file. `[]` in its path stands for any item of a list, `NAME` for any key of a map."""

    path: str
    shape: Shape
    #: As it would be written; empty when there is none, or nothing by default.
    default: Any
    required: bool
    description: str


def of_section(section: type[Section]) -> Shape:
    """The shape of a whole section."""
    return Shape("section", "group of keys", section=section)


def of_field(field: FieldInfo) -> Shape:
    """The shape of a field."""
    return _shape(field.annotation, field.metadata)


def at(place: Place, root: type[Section]) -> Shape | None:
    """The shape at a place; None where the settings have nothing."""
    shape: Shape | None = of_section(root)
    for step in place:
        shape = _below(shape, step) if shape is not None else None
    return shape


def keys(root: type[Section], prefix: str = "") -> Iterator[Key]:
    """Every key, in the order of the model, sections before what is in them."""
    for name, field in root.model_fields.items():
        shape = of_field(field)
        default = None if field.default is PydanticUndefined else field.default
        yield Key(prefix + name, shape, default, field.is_required(), field.description or "")
        section, path = shape.section, f"{prefix}{name}"
        if shape.inner is not None and shape.inner.section is not None:
            section, path = shape.inner.section, path + ("[]" if shape.kind == "list" else ".NAME")
        if section is not None:
            yield from keys(section, f"{path}.")


def _below(shape: Shape, step: str | int) -> Shape | None:
    if shape.section is not None:
        field = shape.section.model_fields.get(str(step))
        return of_field(field) if field else None
    return shape.inner


def _shape(annotation: Any, metadata: Any = ()) -> Shape:
    word = next((item.text for item in metadata if isinstance(item, Word)), None)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(args[0], [*args[1:], *metadata])
    if origin in (Union, types.UnionType) and type(None) in args:
        rest = tuple(arg for arg in args if arg is not type(None))
        shape = _shape(rest[0] if len(rest) == 1 else Union[rest], metadata)  # noqa: UP007 (made at run time)
        return Shape(shape.kind, shape.word, True, shape.section, shape.inner)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return of_section(annotation)
    if origin is tuple:
        inner = _shape(args[0])
        what = "sections" if inner.section else inner.word
        return Shape("list", word or f"list of {what}", inner=inner)
    if origin is dict:
        inner = _shape(args[1])
        what = "sections" if inner.section else inner.word
        return Shape("map", word or f"map of names to {what}", inner=inner)
    if origin is Literal:
        return Shape("value", " or ".join(f"`{arg}`" for arg in args))
    if word and origin is Union and any(get_origin(arg) is tuple for arg in args):
        return Shape("list", word, inner=_shape(str))
    return Shape("value", word or _WORDS.get(annotation, "anything"))
