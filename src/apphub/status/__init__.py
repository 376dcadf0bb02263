"""How busy the hub is, and who runs it."""

from apphub.status.actions import Status

__all__ = ["Status"]
