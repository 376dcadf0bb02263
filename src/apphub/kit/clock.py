"""Time comes in through here, so that tests own it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@overload
def wire_time(moment: datetime) -> str: ...
@overload
def wire_time(moment: None) -> None: ...
@overload
def wire_time(moment: datetime | None) -> str | None: ...
def wire_time(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a `Z`, as JupyterHub's clients parse it (RFC 3339, section 5.6)."""
    if moment is None:
        return None
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat().removesuffix(
        "+00:00"
    ) + "Z"
