"""The reference of all settings as Markdown, generated from the model so that it cannot lag behind."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from apphub.settings import shapes
from apphub.settings.environment import RESERVED, RESERVED_PREFIX, variable
from apphub.settings.json_schema import as_written
from apphub.settings.model import Settings
from apphub.settings.values import Section

_HEAD = f"""\
# Settings

Made from the code by `apphub reference`; do not edit.

Settings are read from a YAML file: the one that `--config` names, or `apphub.yaml` in the working
directory when it exists. `apphub check` tells everything that is wrong with it, each with its line;
`apphub schema` prints a JSON Schema for editors.

* **Durations** are seconds, or text such as `30s`, `5m`, `12h` or `14d`.
* **Sizes** are bytes, or text such as `512M` or `2G` (powers of 1024).
* **Addresses** are `IP:PORT`; an IPv6 address in brackets: `[::1]:8000`.
* **Paths** that are relative start at the folder of the file, those in variables and options at the
  working directory.
* **Secrets** are text, or `{{file: PATH}}` to read them from a file of their own (mode 0600 advised).
* A key without a value, such as `limits:` above lines that are all comments, counts as left out.
* `yes`, `no`, `on`, `off` and times of day are text, as in YAML 1.2; anchors, aliases and `<<` work.

## Variables

Every key outside of lists can be set by an environment variable, which wins over the file: its path in
capitals after `APPHUB_`, `__` between the steps: `{variable("limits.concurrent_starts")}=5`. Names inside a map
are written as they are: `APPHUB_GROUPS__analysts__MEMBERS=ada,grace`. Lists of plain values are written with
commas; lists of sections and maps as JSON. An empty variable unsets a key that may be left out.
A variable that begins with `APPHUB_` and names no setting is an error, except for
{", ".join(f"`{name}`" for name in RESERVED)} and those that begin with `{RESERVED_PREFIX}`.
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, "## The whole file\n", *_table(_own(Settings, ""))]
    for title, section, path in _sections(Settings, ""):
        parts += [f"\n## {title}\n", f"{_told(section)}\n", *_table(_own(section, f"{path}."))]
    return "\n".join(parts) + "\n"


def _own(section: type[Section], prefix: str) -> Iterator[shapes.Key]:
    depth = prefix.count(".")
    return (key for key in shapes.keys(section, prefix) if key.path.count(".") == depth)


def _sections(section: type[Section], prefix: str) -> Iterator[tuple[str, type[Section], str]]:
    for name, field in section.model_fields.items():
        shape = shapes.of_field(field)
        inner = shape if shape.section else shape.inner
        if inner is not None and inner.section is not None:
            path = prefix + name + {"list": "[]", "map": ".NAME"}.get(shape.kind, "")
            yield f"`{path}`", inner.section, path
            yield from _sections(inner.section, f"{path}.")


def _told(section: type[Section]) -> str:
    return inspect.cleandoc(section.__doc__ or "")


def _table(keys: Iterator[shapes.Key]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key in keys:
        cells = (f"`{key.path}`", key.shape.word, _default(key), key.description)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: shapes.Key) -> str:
    if key.required:
        return "**required**"
    value = as_written(key.default)
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, list):
        value = f"[{', '.join(map(str, value))}]"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
