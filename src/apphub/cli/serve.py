"""`apphub serve`, `hub` and `proxy`: load the settings and hand over.

Serving is imported only after the settings turned out fine, so a mistake in them is told
at once.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from apphub.cli.options import Config, settings_file
from apphub.cli.outcome import UNUSABLE, ending, tell

Bind = Annotated[
    list[str] | None,
    typer.Option("--bind", metavar="ADDR:PORT", help="Public address; may be given several times."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder for everything the hub keeps.")
]
Part = Literal["all", "hub", "proxy"]


def serve(config: Config = None, bind: Bind = None, data_dir: DataDir = None) -> None:
    """Run the hub and its proxy."""
    raise typer.Exit(_run("all", config, bind, data_dir))


def hub(config: Config = None, bind: Bind = None, data_dir: DataDir = None) -> None:
    """Run the hub alone; its proxy runs elsewhere with `apphub proxy`."""
    raise typer.Exit(_run("hub", config, bind, data_dir))


def proxy(config: Config = None, bind: Bind = None, data_dir: DataDir = None) -> None:
    """Run the proxy alone, for a hub that runs with `apphub hub`."""
    raise typer.Exit(_run("proxy", config, bind, data_dir))


def _run(part: Part, config: Path | None, bind: list[str] | None, data_dir: Path | None) -> int:
    with _loading():
        from apphub.importer import collect
        from apphub.settings import Settings, SettingsError, load, read, require_usable

    file = settings_file(config)
    overrides, environ = _overrides(bind, data_dir), dict(os.environ)
    try:
        loaded = read(file, environ, overrides)
        require_usable(loaded)
        collect(loaded.settings)
    except SettingsError as error:
        tell(error, prefix="")
        return UNUSABLE
    with _loading():
        from apphub.cli.start import start

    def again() -> Settings:
        return load(file, environ, overrides)

    return ending(lambda: start(loaded.settings, part, again, file))


@contextmanager
def _loading() -> Generator[None]:
    """What modules make stays: to look through it for garbage, again and again, is a fifth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _overrides(bind: list[str] | None, data_dir: Path | None) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    if bind:
        overrides["bind"] = bind
    if data_dir is not None:
        overrides["data_dir"] = str(data_dir)
    return overrides
