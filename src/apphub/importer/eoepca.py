"""Profiles of EOEPCA's Application Hub (its `config.yml`) as profiles of ours, without loss.

The keys are those of application-hub-context (its `models.py` and `docs/configuration.md`).
Files are written by hand and by programs for several versions of it, so this reads generously:
`null` is left out, `mountPath` is `mount_path`, numbers and `yes` are what was meant. A key
that has no place in our model is kept under `container.extra` and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from apphub.settings.container import (
    ClusterRole,
    ConfigMap,
    ImagePullSecret,
    InitContainer,
    Manifest,
    RoleBinding,
    SecretMount,
    Subject,
    Volume,
    VolumeMount,
)
from apphub.settings.values import Place, Section

_LISTS: dict[str, type[Section]] = {
    "config_maps": ConfigMap,
    "volumes": Volume,
    "init_containers": InitContainer,
    "role_bindings": RoleBinding,
    "image_pull_secrets": ImagePullSecret,
    "manifests": Manifest,
    "secret_mounts": SecretMount,
}
#: What is in what: sections, and lists of them.
_INNER: dict[tuple[type[Section], str], type[Section]] = {
    (Volume, "volume_mount"): VolumeMount,
    (InitContainer, "volume_mounts"): VolumeMount,
    (RoleBinding, "role"): ClusterRole,
    (RoleBinding, "subjects"): Subject,
}
_FLAGS = ("persist", "readonly", "default")
_TEXTS = ("default_mode", "size", "name", "key", "content")
_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_PLAIN = ("node_selector", "env_from_config_maps", "env_from_secrets")
_DEFINITION = ("display_name", "description", "slug", "default", "kubespawner_override")
_LIMITS = {
    "mem_limit": "memory_limit",
    "mem_guarantee": "memory_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_guarantee": "cpu_guarantee",
}
_RESOURCES = ("extra_resource_limits", "extra_resource_guarantees")
#: Where a key of our profile stands in theirs.
PLACES: Mapping[str, Place] = {
    "slug": ("definition", "slug"),
    "display_name": ("definition", "display_name"),
    "description": ("definition", "description"),
    "default": ("definition", "default"),
    "image": ("definition", "kubespawner_override", "image"),
    "environment": ("pod_env_vars",),
    **{ours: ("definition", "kubespawner_override", theirs) for theirs, ours in _LIMITS.items()},
}


class Converted(Struct):
    """One profile: the keys of ours, and what was not understood."""

    place: Place
    profile: dict[str, Any]
    image: str
    unknown: list[Place] = field(default_factory=list)

    def origin(self, place: Place) -> Place:
        """The place in the file that a place in the profile is from."""
        steps = place[1:] if place[:1] == ("container",) else place
        head = PLACES.get(str(steps[0]), steps[:1]) if steps else ()
        return (*self.place, *head, *steps[1:])


def convert(values: Mapping[str, Any]) -> Iterator[Converted]:
    """The profiles of a file, in its order. Keys beside `profiles` are the caller's to tell."""
    profiles = values.get("profiles")
    for position, profile in enumerate(profiles if isinstance(profiles, list) else ()):
        if isinstance(profile, Mapping):
            yield _Reading(("profiles", position)).profile(profile)


class _Reading:
    """Reads one profile; collects what it does not know."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._extra: dict[str, Any] = {}
        self._unknown: list[Place] = []

    def profile(self, given: Mapping[str, Any]) -> Converted:
        given = _present(given)
        definition = _present(given.pop("definition", None) or {})
        override = _present(definition.pop("kubespawner_override", None) or {})
        container: dict[str, Any] = {"id": _text(given.pop("id", ""))}
        container |= {key: given.pop(key) for key in _PLAIN if key in given}
        container |= {
            key: self._items(given.pop(key), section, (key,))
            for key, section in _LISTS.items()
            if key in given
        }
        container["environment"] = _environment(given.pop("pod_env_vars", {}))
        container |= {key: override.pop(key) for key in _RESOURCES if key in override}
        container["image"] = image = _text(override.pop("image", ""))
        profile: dict[str, Any] = {
            "slug": definition.pop("slug", container["id"]),
            "groups": _list(given.pop("groups", [])),
            "default": _flag(definition.pop("default", False)),
        }
        for key in ("display_name", "description"):
            profile[key] = _text(definition.pop(key, ""))
        # Braces mean something in ours and nothing in theirs.
        address = _text(given.pop("default_url", ""))
        address = address.replace("{", "{{").replace("}", "}}")
        profile["default_url"] = address if address.startswith("/") or not address else f"/{address}"
        profile |= {
            ours: _amount(override.pop(theirs)) for theirs, ours in _LIMITS.items() if theirs in override
        }
        self._keep(given, ())
        self._keep(definition, ("definition",))
        self._keep(override, ("definition", "kubespawner_override"))
        profile["container"] = container | {"extra": self._extra}
        return Converted(self._place, profile, image, self._unknown)

    def _items(self, items: Any, section: type[Section], place: Place) -> Any:
        if not isinstance(items, list):
            return items
        return [self._item(item, section, (*place, position)) for position, item in enumerate(items)]

    def _item(self, item: Any, section: type[Section], place: Place) -> Any:
        if not isinstance(item, Mapping):
            return item
        known: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for key, value in _present(item).items():
            name = _ours(key)
            if name not in section.model_fields:
                rest[key] = value
            elif inner := _INNER.get((section, name)):
                read = self._items if isinstance(value, list) else self._item
                known[name] = read(value, inner, (*place, name))
            else:
                known[name] = _value(name, value)
        self._keep(rest, place)
        return known

    def _keep(self, rest: Mapping[str, Any], place: Place) -> None:
        for key, value in rest.items():
            where = (*place, key)
            self._extra[".".join(map(str, where))] = value
            self._unknown.append((*self._place, *where))


def _present(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        return {}
    return {key: value for key, value in given.items() if value is not None}


def _ours(key: str) -> str:
    name = re.sub(r"(?<=[a-z])([A-Z])", lambda match: f"_{match[1].lower()}", key)
    return {"read_only": "readonly"}.get(name, name)


def _value(name: str, value: Any) -> Any:
    if name in _FLAGS:
        return _flag(value)
    return _text(value) if name in _TEXTS and not isinstance(value, list | dict) else value


def _flag(value: Any) -> Any:
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _list(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, list) else value


def _environment(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    return {name: _text("" if value is None else value) for name, value in given.items()}


def _amount(value: Any) -> Any:
    """Kubernetes' `8Gi` and `500m`, where ours are `8G` and 0.5."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"\d+m", value):
        return int(value[:-1]) / 1000
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    return value.removesuffix("i")
