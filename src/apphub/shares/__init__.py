"""Servers opened to others: to a user, to a group, or to whoever has a code."""

from apphub.shares.actions import Shares

__all__ = ["Shares"]
