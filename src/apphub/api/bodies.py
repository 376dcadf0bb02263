"""Bodies of requests, read and checked; what is wrong is said in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apphub.api.schema.bodies import Start
from apphub.errors import Invalid, shown
from apphub.kit import clock
from apphub.servers.model import Ask
from apphub.web.request import HubRequest

#: Activity may be this far ahead of the hub's clock.
AHEAD = timedelta(minutes=59)


def as_object(body: Any, what: str = "Invalid JSON data") -> dict[str, Any]:
    """The body as a JSON object."""
    if not isinstance(body, dict):
        raise Invalid(f"{what}: {shown(body)}", "The body is a JSON object.")
    return body


def as_optional_object(body: Any, what: str = "Invalid JSON data") -> dict[str, Any]:
    """The body as a JSON object; without a body, an empty one."""
    return {} if body is None else as_object(body, what)


def only(body: Mapping[str, Any], shape: type) -> None:
    """Refuse keys that mean nothing in a body of this shape."""
    known = shape.__annotations__
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise Invalid(
            f"Invalid JSON keys: {', '.join(map(shown, unknown))}", f"Known keys: {', '.join(known)}."
        )


def text(body: Mapping[str, Any], key: str, default: str = "", *, limit: int = 1000) -> str:
    """A text of the body."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Invalid(f"{key} must be a string, not {shown(value)}")
    if len(value) > limit:
        raise Invalid(f"{key} is longer than {limit} characters")
    return value


def flag(body: Mapping[str, Any], key: str) -> bool | None:
    """A boolean of the body; None when it is not there."""
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{key} must be true or false, not {shown(value)}")
    return value


def texts(body: Mapping[str, Any], key: str, *, limit: int = 10_000) -> list[str] | None:
    """A list of texts of the body; None when it is not there."""
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{key} must be null or a list of strings, not {shown(value)}")
    if len(value) > limit:
        raise Invalid(f"{key} holds more than {limit} items")
    return value


def mapping(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object of the body; empty when it is not there."""
    value = body.get(key)
    if value is not None and not isinstance(value, dict):
        raise Invalid(f"{key} must be an object, not {shown(value)}")
    return value or {}


def life(body: Mapping[str, Any]) -> timedelta | None:
    """`expires_in` in seconds; None for no end."""
    value = body.get("expires_in")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid(f"token expires_in must be null or integer, not {shown(value)}")
    if not 0 < value <= 10 * 365 * 86_400:
        raise Invalid("token expires_in must be from one second to ten years")
    return timedelta(seconds=value)


def moment(value: object) -> datetime:
    """A timestamp (RFC 3339; without an offset it is UTC) that is not in the future."""
    try:
        if not isinstance(value, str) or len(value) > 64:
            raise ValueError
        parsed = datetime.fromisoformat(value)
        parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"Not a valid timestamp: {shown(value)}") from None
    if parsed > clock.now() + AHEAD:
        raise Invalid(f"Rejecting activity from more than an hour in the future: {shown(value)}")
    return parsed


async def start_ask(request: HubRequest) -> Ask:
    """The body of a start. None: what was last asked for. With `user_options` or `display_name` it is
    the structured form; otherwise the whole object is the options.
    """
    body = await request.body_json()
    if body is None:
        return Ask()
    if not isinstance(body, dict):
        raise Invalid("Body must be a JSON object")
    if not body.keys() & {"user_options", "display_name"}:
        return Ask(options=body)
    only(body, Start)
    return structured_ask(body)


def structured_ask(body: Mapping[str, Any]) -> Ask:
    """`user_options` and `display_name` of a body."""
    options = body.get("user_options")
    if options is not None and not isinstance(options, dict):
        raise Invalid("user_options must be an object or null")
    name = body.get("display_name")
    if name is not None and not isinstance(name, str):
        raise Invalid("display_name must be a string")
    return Ask(options=options, display_name=name)
