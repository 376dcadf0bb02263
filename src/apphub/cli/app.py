"""The commands, put together.

Nothing heavy is imported here or by `--help`: the settings are loaded by the commands that
read them, and what serves only by those that serve. Errors that a person can cause end in
words and an exit status, never in a traceback; anything else is a defect and shows one
(without local variables, which hold secrets).
"""

from __future__ import annotations

from typing import Annotated

import typer

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.cli import check, papers, password, profiles, serve

app = typer.Typer(
    name="apphub",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"apphub {__version__} (speaks the JupyterHub {JUPYTERHUB_VERSION} API)")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A multi-user hub that launches web applications."""


app.command("serve")(serve.serve)
app.command("hub")(serve.hub)
app.command("proxy")(serve.proxy)
app.command("check")(check.check)
app.command("password")(password.password)
app.add_typer(profiles.profiles, name="profiles")
app.command("schema")(papers.schema)
app.command("reference", hidden=True)(papers.reference)


def main() -> None:
    """Run the command of this process's arguments."""
    app()
