"""`apphub password NAME`: give an account a password while the hub is down, as after a lost one."""

from __future__ import annotations

import asyncio
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from apphub.cli.options import Config, settings_file
from apphub.cli.outcome import ending

Name = Annotated[str, typer.Argument(help="The account.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="The hub's data folder.")]


def password(name: Name, config: Config = None, data_dir: DataDir = None) -> None:
    """Set the password of an account. The new one is asked for, or read from standard input."""
    raise typer.Exit(ending(lambda: _password(name, config, data_dir)))


def _password(name: str, config: Path | None, data_dir: Path | None) -> int:
    from apphub.folder import hold, open_folder
    from apphub.offline import set_password
    from apphub.settings import load

    overrides = {"data_dir": str(data_dir)} if data_dir is not None else {}
    settings = load(settings_file(config), os.environ, overrides)
    folder = open_folder(settings.data_dir)
    settings = settings.model_copy(update={"data_dir": folder})
    with hold(folder, "hub", alone=True):
        asyncio.run(set_password(settings, name, _ask()))
    typer.echo(f"The password of {name} is set; earlier sign-ins have ended.")
    return 0


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    while True:
        first = getpass("New password: ")
        if first == getpass("Again: "):
            return first
        typer.echo("They differ; once more.", err=True)
