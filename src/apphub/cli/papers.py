"""Commands that print what is made from the code: the `schema` of settings, and the references."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer


def schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from apphub.settings.json_schema import schema as made

    typer.echo(json.dumps(made(), indent=2, ensure_ascii=False))


def reference(
    what: Annotated[Literal["settings", "api"], typer.Argument(help="Which of the two.")] = "settings",
) -> None:
    """Print a reference, as kept in docs/reference: of all settings, or of the API."""
    if what == "settings":
        from apphub.settings.reference_page import reference as made
    else:
        from apphub.app import reference as made

    typer.echo(made(), nl=False)
