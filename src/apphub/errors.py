"""Every error a person can cause, as types.

    HubError                     expected; one log line, told to whoever asked
    ├── Invalid                  the request makes no sense as it is
    ├── Unauthenticated          who are you?
    ├── Forbidden                known, and may not
    ├── NotFound                 not there, or not for you
    ├── Conflict                 clashes with what is
    ├── LimitReached             not now; says when (`retry_after`)
    └── Unavailable              the hub or something under it cannot answer

Concrete errors live beside their domain and derive from one of these. HTTP statuses are
given in one place, `web/errors.py`; pages and the command line render the same errors as
words. Anything that is not a `HubError` is a defect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta  # the process runtime's helper, which is to stay small, does without


class HubError(Exception):
    """An expected failure: `message` says what, `advice` what to do about it."""

    def __init__(self, message: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}" if self.advice else self.message


class Invalid(HubError):
    """The request makes no sense as it is."""


class Unauthenticated(HubError):
    """The caller is unknown: no credential, or one that is not valid (any more)."""


class Forbidden(HubError):
    """The caller is known and may not do this."""


class NotFound(HubError):
    """It is not there, or the caller may not know that it is."""


class Conflict(HubError):
    """The request clashes with what is."""


class LimitReached(HubError):
    """Not now: a limit is reached. `retry_after` says when to ask again."""

    def __init__(self, message: str, retry_after: timedelta, advice: str | None = None) -> None:
        super().__init__(message, advice)
        self.retry_after = retry_after


class Unavailable(HubError):
    """The hub, or something under it, cannot answer now."""


def shown(text: object, limit: int = 64) -> str:
    """Untrusted text, fit for a message or a log line: quoted, escaped and cut to `limit`."""
    value = str(text)
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")
