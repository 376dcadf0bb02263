"""What a query asks of the audit log, for the API and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from apphub.audit.model import Search, actions_of
from apphub.errors import Invalid, shown


def search_of(query: Mapping[str, str]) -> Search:
    """What `actor`, `target`, `action`, `from`, `to` and `request` ask for; raises `Invalid`."""
    given = {key: value.strip()[:600] for key, value in query.items() if value.strip()}
    action = given.get("action")
    if action is not None and not actions_of(action):
        raise Invalid(f"There is no action {shown(action)}.", "The documentation of the API lists them.")
    return Search(
        actor=given.get("actor"),
        target=given.get("target"),
        action=action,
        since=_moment(given, "from"),
        until=_moment(given, "to"),
        request_id=given.get("request"),
    )


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A number of the query; raises `Invalid`."""
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"{name} must be a whole number, got {shown(text)}")
    return int(text)


def _moment(given: Mapping[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{name} is not a moment: {shown(given[name])}",
            "Write it like 2030-12-31 or 2030-12-31T23:59:59Z.",
        ) from None
