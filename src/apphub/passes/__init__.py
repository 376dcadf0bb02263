"""Passes: what lets visitors through to servers that the edge guards."""

from apphub.passes.actions import Passes

__all__ = ["Passes"]
