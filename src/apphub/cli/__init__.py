"""The command line: `apphub`."""

from apphub.cli.app import main

__all__ = ["main"]
