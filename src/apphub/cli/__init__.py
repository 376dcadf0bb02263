"""The command line: `apphub`."""

from apphub.cli import lean  # noqa: F401  # the first of all
from apphub.cli.app import main

__all__ = ["main"]
