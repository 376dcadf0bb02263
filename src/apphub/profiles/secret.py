"""What of a profile is never shown again: credentials for images, and secrets to be made.

Whoever reads a profile and sends it back, changed elsewhere, sends the marks back too; a mark
means what is kept at that place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apphub.errors import Invalid

#: Stands where a secret is kept.
HIDDEN = "<hidden>"


def concealed(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with marks in place of secrets."""
    result = dict(definition)
    container = result.get("container")
    if isinstance(container, Mapping):
        container = dict(container)
        if "image_pull_secrets" in container:
            container["image_pull_secrets"] = [
                {**one, "data": HIDDEN} if one.get("data") else one for one in container["image_pull_secrets"]
            ]
        if "manifests" in container:
            container["manifests"] = [_manifest(one) for one in container["manifests"]]
        result["container"] = container
    return result


def restored(given: Any, kept: Any, place: str = "") -> Any:
    """What was sent, with what is kept in place of marks. Raises `Invalid` where nothing is kept."""
    if given == HIDDEN:
        if not isinstance(kept, str | int | float):
            raise Invalid(f"{place}: nothing is kept here that could stay hidden")
        return kept
    if isinstance(given, Mapping):
        inner = kept if isinstance(kept, Mapping) else {}
        return {
            key: restored(value, inner.get(key), f"{place}.{key}".lstrip(".")) for key, value in given.items()
        }
    if isinstance(given, list):
        items = kept if isinstance(kept, list) else []
        return [
            restored(value, items[position] if position < len(items) else None, f"{place}[{position}]")
            for position, value in enumerate(given)
        ]
    return given


def _manifest(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "content": [_thing(thing) for thing in one.get("content", ())]}


def _thing(thing: Any) -> Any:
    if not isinstance(thing, Mapping) or thing.get("kind") != "Secret":
        return thing
    hidden = {
        key: dict.fromkeys(thing[key], HIDDEN)
        for key in ("data", "stringData")
        if isinstance(thing.get(key), Mapping)
    }
    return {**thing, **hidden}
