"""A profile's definition as people write it: YAML, as below `profiles` of the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from apphub.settings.document import parse_document


def written_as_yaml(definition: Mapping[str, Any]) -> str:
    """A definition to be edited."""
    if not definition:
        return ""
    return yaml.safe_dump(dict(definition), sort_keys=False, allow_unicode=True, width=100)


def read_yaml(text: str) -> dict[str, Any]:
    """What was written. Raises `SettingsError` with every problem of its form, by line."""
    return parse_document(text, Path("line")).values
