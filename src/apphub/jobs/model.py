"""Jobs as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from apphub.errors import NotFound

#: The most that one job may be about.
MOST = 10_000


class Kind(StrEnum):
    """What is done to each."""

    #: Stop a server (`ada/lab`).
    STOP = "stop"
    #: Delete a server (`ada/lab`); one that runs is stopped first.
    REMOVE = "remove"
    #: Stop all servers of a user.
    STOP_ALL = "stop-all"
    #: Delete a user.
    DELETE = "delete"
    #: Make a user a member of the job's group.
    ADD = "add-to-group"
    #: Take a user out of the job's group.
    TAKE = "take-from-group"


class Job(Struct, frozen=True):
    """One of them, with how far it has come."""

    id: int
    user_id: int
    user: str
    kind: Kind
    #: The group, for those that are about one.
    target: str
    created: datetime
    finished: datetime | None
    cancelled: bool
    total: int
    done: int
    failed: int
    address: str | None
    request_id: str | None


class Item(Struct, frozen=True):
    """One step: a user, or a server as `user/name`."""

    id: int
    item: str
    problem: str | None = None


class Report(Struct, frozen=True):
    """A job, and what of it could not be done."""

    job: Job
    problems: Sequence[Item]


class NoSuchJob(NotFound):
    """There is no such job of this person's."""

    def __init__(self) -> None:
        super().__init__("There is no such bulk action of yours.", "They are forgotten after a week.")
