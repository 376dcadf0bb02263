"""The one table from errors to HTTP statuses."""

from __future__ import annotations

from http import HTTPStatus

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from apphub.errors import (
    Conflict,
    Forbidden,
    HubError,
    Invalid,
    LimitReached,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from apphub.idempotency.model import OtherRequest
from apphub.people.model import Declared
from apphub.services.actions import NotModifiable
from apphub.web.json import answer


class BodyRefused(Invalid):
    """The body of a request was not read to its end, whatever is in it."""


class TooLarge(BodyRefused):
    """The body is larger than may be."""


class TooSlow(BodyRefused):
    """The body has not come in time."""


STATUSES: tuple[tuple[type[HubError], int], ...] = (
    (TooSlow, 408),
    (TooLarge, 413),
    (Invalid, 400),
    (Unauthenticated, 403),  # as JupyterHub's API answers; pages send people to sign in instead
    (Forbidden, 403),
    (NotFound, 404),
    (NotModifiable, 405),
    (Declared, 409),
    (Conflict, 409),
    (OtherRequest, 422),
    (LimitReached, 429),
    (Unavailable, 503),
)


def status_of(error: Exception) -> int:
    """The HTTP status that tells of this error."""
    if isinstance(error, HubError):
        return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, HTTPException):
        return error.status_code
    return 500


def message_of(error: Exception) -> str:
    """What is told: the words of an expected error, and of a defect only that it is one."""
    if isinstance(error, HubError):
        return str(error)
    if isinstance(error, NotFoundException):
        return "There is nothing at this address."
    if isinstance(error, MethodNotAllowedException):
        return "This address does not take requests of this method."
    status = status_of(error)
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"


def problem(error: Exception) -> Response[bytes]:
    """The error, as programs are told it."""
    status = status_of(error)
    return answer({"status": status, "message": message_of(error)}, status)


def headers_of(error: Exception) -> dict[str, str]:
    """Headers that go with the error."""
    if isinstance(error, LimitReached):
        return {"retry-after": str(max(1, round(error.retry_after.total_seconds())))}
    if isinstance(error, Unavailable):
        return {"retry-after": "2"}
    if isinstance(error, MethodNotAllowedException):
        return dict(error.headers or {})
    return {}
