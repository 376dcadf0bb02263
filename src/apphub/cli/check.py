"""`apphub check`: whether the settings can be used, and what deserves a second look."""

from __future__ import annotations

import os

import typer

from apphub.cli.options import Config, settings_file
from apphub.cli.outcome import ending


def check(config: Config = None) -> None:
    """Check the settings: every problem with its line, then warnings. Exits 1 when they cannot be used."""
    # Without a prefix: FILE:LINE at the start of a line is what editors jump to.
    raise typer.Exit(ending(lambda: _check(config), prefix=""))


def _check(config: Config) -> int:
    from apphub.importer import collect
    from apphub.settings import read, require_usable, warnings

    path = settings_file(config)
    loaded = read(path, os.environ)
    require_usable(loaded)
    offered = collect(loaded.settings)
    slugs = ", ".join(profile.slug for profile in offered.profiles) or "none"
    name = str(path) if path is not None else "no settings file, so defaults apply"
    typer.echo(f"{name}: fine. Profiles: {slugs}.")
    for warning in (*warnings(loaded, os.environ), *offered.notes):
        typer.echo(f"warning: {warning}")
    return 0
