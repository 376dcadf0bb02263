"""How people prove who they are."""

from apphub.login.actions import Login, SignInFailed

__all__ = ["Login", "SignInFailed"]
