"""The one way from the command line into serving, apart so that nothing else imports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from apphub.serve import run
from apphub.settings import Settings


def start(
    settings: Settings,
    part: Literal["all", "hub", "proxy"],
    again: Callable[[], Settings],
    file: Path | None,
) -> int:
    """Serve until told to stop; the exit status. `again` reads the settings when `file` has changed."""
    return run(settings, part, again, file)
