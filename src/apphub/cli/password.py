"""`apphub password NAME`: give an account a password while the hub is down, as after a lost one."""

from __future__ import annotations

import asyncio
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apphub.cli.options import Config, settings_file
from apphub.cli.outcome import ending

if TYPE_CHECKING:
    from apphub.settings import Settings

Name = Annotated[str, typer.Argument(help="The account.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="The hub's data folder.")]


def password(name: Name, config: Config = None, data_dir: DataDir = None) -> None:
    """Set the password of an account. The new one is asked for, or read from standard input."""
    raise typer.Exit(ending(lambda: _password(name, config, data_dir)))


def _password(name: str, config: Path | None, data_dir: Path | None) -> int:
    from apphub.folder import lock, open_folder
    from apphub.settings import load

    overrides = {"data_dir": str(data_dir)} if data_dir is not None else {}
    settings = load(settings_file(config), os.environ, overrides)
    folder = open_folder(settings.data_dir)
    settings = settings.model_copy(update={"data_dir": folder})
    with lock(folder, "hub"):
        asyncio.run(_set(settings, name, _ask()))
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


async def _set(settings: Settings, name: str, secret: str) -> None:
    from apphub.audit import By
    from apphub.db import open_database
    from apphub.login import Login
    from apphub.people.model import parse_user_name

    db = await open_database(settings.database, settings.data_dir)
    login = Login(db, settings.login)
    try:
        await login.set_password(By("command line"), parse_user_name(name), secret)
    finally:
        login.close()
        await db.close()
