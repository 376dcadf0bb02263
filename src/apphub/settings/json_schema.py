"""The JSON Schema of the settings file, for editors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from apphub.kit.addresses import Address
from apphub.settings.model import Settings
from apphub.settings.values import Section


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the whole file, with the meaning of every key."""
    made = Settings.model_json_schema(mode="validation", schema_generator=_AsWritten)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": "apphub settings"}


def as_written(value: Any) -> Any:
    """A value as it would be written in the file."""
    if isinstance(value, Address):
        return str(value)
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Section):
        # A section that is left out is one in which everything is left out.
        return {}
    if isinstance(value, tuple | list):
        return [as_written(item) for item in value]
    return value


def _duration(value: timedelta) -> str | float:
    seconds = value.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        # 120 seconds read better as 2m, but 90 as 90s.
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return seconds


class _AsWritten(GenerateJsonSchema):
    """Defaults look as in the file: 14d, not P14D."""

    def encode_default(self, dft: Any) -> Any:
        return super().encode_default(as_written(dft))
