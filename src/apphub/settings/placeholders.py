"""Which placeholders a profile uses, and whether a start can fill them in.

Like `references`, this works on raw values too, so that a misspelt placeholder is told
together with whatever else is wrong. Filling them in is the launch's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apphub.settings.values import Place, entry

#: What a start fills in, beside `{option:NAME}`.
PLACEHOLDERS = ("user", "server", "ip", "port", "prefix", "base")

_HOLE = re.compile(r"\{\{|\}\}|\{(option:)?([A-Za-z0-9_.-]+)\}")


def unknown_placeholders(profile: Any) -> Iterator[tuple[Place, str]]:
    """Every placeholder of a profile that nothing fills in: its place, and what is wrong."""
    options = entry(profile, "options")
    declared = list(options) if isinstance(options, Mapping) else []
    known = None if entry(profile, "extra_options") == "allow" else declared
    for place, text in _texts(profile):
        for problem in _holes(text, known):
            yield place, problem


def _texts(profile: Any) -> Iterator[tuple[Place, str]]:
    command, environment = entry(profile, "command"), entry(profile, "environment")
    found: list[tuple[Place, Any]] = [((key,), entry(profile, key)) for key in ("default_url", "working_dir")]
    if isinstance(command, list | tuple):
        found += [(("command", position), word) for position, word in enumerate(command)]
    if isinstance(environment, Mapping):
        found += [(("environment", name), text) for name, text in environment.items()]
    return ((place, text) for place, text in found if isinstance(text, str))


def _holes(text: str, options: list[str] | None) -> Iterator[str]:
    for match in _HOLE.finditer(text):
        is_option, name = match[1], match[2]
        if is_option and options is not None and name not in options:
            listed = ", ".join(options) or "none"
            yield f"names the option {name!r}, which is not declared in `options` (there: {listed})"
        elif name and not is_option and name not in PLACEHOLDERS:
            known = " ".join(f"{{{word}}}" for word in PLACEHOLDERS)
            yield f"has the unknown placeholder {{{name}}}; known: {known} {{option:NAME}}"
    rest = _HOLE.sub("", text)
    if "{" in rest or "}" in rest:
        yield "has a brace that belongs to no placeholder; double it ({{ or }}) to mean the character"
