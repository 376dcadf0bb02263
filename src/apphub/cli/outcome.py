"""How a command ends: expected errors as words on stderr, and an exit status."""

from __future__ import annotations

from collections.abc import Callable

import typer

from apphub.errors import HubError

#: Something went wrong while doing it.
FAILED = 1
#: It was not even tried: the arguments or settings are wrong.
UNUSABLE = 2


def ending(work: Callable[[], int], *, prefix: str = "apphub: ") -> int:
    """Do the work; an expected error is told on stderr and becomes the exit status."""
    try:
        return work()
    except HubError as error:
        tell(error, prefix)
        return FAILED


def tell(error: HubError, prefix: str = "apphub: ") -> None:
    """Say on stderr what went wrong, and what to do about it."""
    typer.echo(f"{prefix}{error.message}", err=True)
    if error.advice:
        typer.echo(error.advice, err=True)
