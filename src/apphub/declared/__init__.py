"""What the settings file declares, made so in the database."""

from apphub.declared.actions import declare

__all__ = ["declare"]
