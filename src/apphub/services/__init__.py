"""Programs that the hub knows by name: registered by the API, or declared in the settings."""

from apphub.services.actions import Services

__all__ = ["Services"]
