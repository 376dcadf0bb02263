"""Loaded by Schemathesis: lead half of the requests to what there is, for random names find nothing."""

from __future__ import annotations

import zlib
from typing import Any

import schemathesis

#: What `test_fuzz` makes before it begins.
KNOWN = {
    "user": ("ada", "grace"),
    "owner": ("ada", "grace"),
    "group": ("analysts",),
    "server": ("lab", "shared"),
    "service": ("docs",),
    "cookie": ("jupyterhub-hub-login",),
}


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same for the same value, so that a failure can be repeated."""
    if not path_parameters:
        return path_parameters
    return {name: _known(name, value) for name, value in path_parameters.items()}


def _known(name: str, value: Any) -> Any:
    chance = zlib.crc32(repr(value).encode())
    names = KNOWN.get(name, ())
    return names[chance // 2 % len(names)] if names and chance % 2 else value
