"""Commands that print what is made from the settings' model: `schema`, and the reference."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from apphub.settings import schema as made

    typer.echo(json.dumps(made(), indent=2, ensure_ascii=False))


def reference() -> None:
    """Print the reference of all settings, as kept in docs/reference/settings.md."""
    from apphub.settings import reference as made

    typer.echo(made(), nl=False)
