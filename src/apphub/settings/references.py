"""Whether names that settings use for each other exist, and whether any is given twice.

Works on raw values as well as on finished settings: so that these problems are told
together with all others of the file, and not only once those are mended. What is not even
of the right kind is passed over here; somebody else complains about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from apphub.settings.placeholders import unknown_placeholders
from apphub.settings.values import Place, entry

#: Roles that every hub has (`access/roles` says what they may do).
BUILT_IN_ROLES = ("user", "admin", "server", "token")


def dangling(settings: Any) -> Iterator[tuple[Place, str]]:
    """Every name that is used and does not exist, or that appears twice: its place and what is wrong."""
    roles, services, profiles = (_items(settings, key) for key in ("roles", "services", "profiles"))
    yield from _twice("roles", roles, "name")
    yield from _twice("services", services, "name")
    yield from _twice("profiles", profiles, "slug")
    yield from _several_defaults(profiles)
    yield from _same_token(services)
    yield from _unknown(
        "services", services, "roles", {*BUILT_IN_ROLES, *_names(roles, "name")}, "is no role; known"
    )
    yield from _unknown("roles", roles, "services", _names(services, "name"), "is no service; known")
    yield from _scopes(roles)
    for position, profile in enumerate(profiles):
        for place, words in unknown_placeholders(profile):
            yield ("profiles", position, *place), words


def _items(parent: Any, key: str) -> Sequence[Any]:
    value = entry(parent, key)
    return value if isinstance(value, list | tuple) else ()


def _names(items: Sequence[Any], key: str) -> set[str]:
    return {name for item in items if isinstance(name := entry(item, key), str)}


def _twice(section: str, items: Sequence[Any], key: str) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for position, item in enumerate(items):
        name = entry(item, key)
        if isinstance(name, str):
            if name in seen:
                yield (section, position, key), f"{name!r} is used by an earlier one; choose another name"
            seen.add(name)


def _several_defaults(profiles: Sequence[Any]) -> Iterator[tuple[Place, str]]:
    defaults = [position for position, profile in enumerate(profiles) if entry(profile, "default") is True]
    for position in defaults[1:]:
        yield ("profiles", position, "default"), "an earlier profile is the default already; only one may be"


def _same_token(services: Sequence[Any]) -> Iterator[tuple[Place, str]]:
    seen: set[str] = set()
    for position, service in enumerate(services):
        token = entry(service, "api_token")
        token = token.get_secret_value() if hasattr(token, "get_secret_value") else token
        if isinstance(token, str):
            if token in seen:
                yield (
                    ("services", position, "api_token"),
                    "is the token of an earlier service; make a new one",
                )
            seen.add(token)


def _unknown(
    section: str, items: Sequence[Any], key: str, known: set[str], words: str
) -> Iterator[tuple[Place, str]]:
    for position, item in enumerate(items):
        for index, name in enumerate(_items(item, key)):
            if isinstance(name, str) and name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                listed = ", ".join(sorted(known)) or "none"
                yield (section, position, key, index), f"{name!r} {words}: {listed}{hint}"


def _scopes(roles: Sequence[Any]) -> Iterator[tuple[Place, str]]:
    for position, role in enumerate(roles):
        name, scopes = entry(role, "name"), entry(role, "scopes")
        if not isinstance(name, str):
            continue
        if scopes is None and name not in BUILT_IN_ROLES:
            yield ("roles", position, "scopes"), "is missing: only built-in roles have scopes of their own"
        if scopes is not None and name == "admin":
            yield ("roles", position, "scopes"), "must be left out: the role `admin` always may do everything"
