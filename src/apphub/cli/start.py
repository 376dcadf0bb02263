"""The one way from the command line into serving, apart so that nothing else imports it."""

from __future__ import annotations

from typing import Literal

from apphub.serve import run
from apphub.settings import Settings


def start(settings: Settings, part: Literal["all", "hub", "proxy"]) -> int:
    """Serve until told to stop; the exit status."""
    return run(settings, part)
