"""Options of a profile as a JSON Schema (2020-12), for forms and for programs that check before they ask."""

from __future__ import annotations

from typing import Any

from apphub.settings import Option, Profile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def options_schema(profile: Profile) -> dict[str, Any]:
    """What a start of this profile may choose."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {name: _option(option) for name, option in profile.options.items()},
        "required": [name for name, option in profile.options.items() if option.default is None],
        "additionalProperties": profile.extra_options == "allow",
    }


def _option(option: Option) -> dict[str, Any]:
    schema = {
        "type": option.type,
        "title": option.title,
        "description": option.description,
        "default": option.default,
        "enum": list(option.choices) if option.choices is not None else None,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "maxLength": option.max_length if option.type == "string" and option.choices is None else None,
        # Ours is for the whole text, theirs is found anywhere in it.
        "pattern": f"^(?:{option.pattern})$" if option.pattern is not None else None,
    }
    return {key: value for key, value in schema.items() if value is not None and value != ""}
