"""Options that commands share, and how a settings file is found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: Read when no other file is named and this one exists.
DEFAULT = Path("apphub.yaml")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings file; default: apphub.yaml, if it exists."),
]


def settings_file(named: Path | None) -> Path | None:
    """The file to read: the one named, else the default one where it exists."""
    if named is not None:
        return named
    return DEFAULT if DEFAULT.exists() else None
