"""How Envoy's JSON names the type of an extension's configuration."""

from __future__ import annotations

from typing import Any


def typed(message: str, **fields: Any) -> dict[str, Any]:
    """A configuration of this protobuf message, as an `Any` in JSON."""
    return {"@type": f"type.googleapis.com/{message}", **fields}
