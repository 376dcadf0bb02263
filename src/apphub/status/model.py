"""Counts as values."""

from __future__ import annotations

from msgspec import Struct


class Load(Struct, frozen=True):
    """How much there is, and how much is on its way."""

    users: int
    #: Servers that wait to be let in.
    waiting: int
    starting: int
    ready: int
    stopping: int
    #: Bulk actions that are not over.
    jobs: int
