"""Types to JSON Schema (2020-12, as OpenAPI 3.1 wants it), by msgspec, with two things added.

A union may hold several kinds of object, which msgspec does not decode and so does not
describe. And objects are closed: a key that no type names is a mistake, in an answer of ours
as in a request, except in the few bodies where handlers do not mind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from apphub.api.schema import bodies

#: Bodies in which other keys mean nothing but do no harm, for JupyterHub's tools send some.
OPEN = (
    bodies.Activity,
    bodies.Seen,
    bodies.Auth,
    bodies.CreateToken,
    bodies.TradeToken,
    bodies.TradeCode,
    bodies.MoveProxy,
    bodies.Shutdown,
)
_PLACE = "#/components/schemas/"

Schema = dict[str, Any]


def members(kind: Any) -> tuple[Any, ...]:
    """The types of a union; of anything else, itself."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


class Types:
    """The schemas of some types, and what they refer to."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        self._leaves = [leaf for kind in kinds for leaf in members(kind)]
        schemas, components = msgspec.json.schema_components(self._leaves, ref_template=f"{_PLACE}{{name}}")
        self._schemas = schemas
        self.components: dict[str, Schema] = {}
        for name, shape in sorted(components.items()):
            if _fit(name) in self.components:
                raise ValueError(f"two types are called {_fit(name)} in the document; give one another name")
            self.components[_fit(name)] = _told(name, shape)

    def schema(self, kind: Any) -> Schema:
        """The schema of one of the types."""
        found = [_refer(self._schemas[self._leaves.index(leaf)]) for leaf in members(kind)]
        return found[0] if len(found) == 1 else {"anyOf": found}


def _told(name: str, shape: Schema) -> Schema:
    shape = {key: value for key, value in _refer(shape).items() if key != "title"}
    if shape.get("type") == "object" and "properties" in shape:
        shape["additionalProperties"] = name in {kind.__name__ for kind in OPEN}
    return shape


def _refer(shape: Any) -> Any:
    """The schema with the names it refers to made fit for a document."""
    if isinstance(shape, dict):
        return {
            key: f"{_PLACE}{_fit(value.removeprefix(_PLACE))}" if key == "$ref" else _refer(value)
            for key, value in shape.items()
        }
    return [_refer(item) for item in shape] if isinstance(shape, list) else shape


def _fit(name: str) -> str:
    """A component's name: `Page_list_User` for `Page[list[UserModel]]`."""
    plain = re.sub(r"[a-z_.]+\.(?=[A-Z])", "", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").removesuffix("Model")
