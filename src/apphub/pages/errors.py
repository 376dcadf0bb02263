"""Errors as pages: what went wrong, what to do, and a name for it in the logs."""

from __future__ import annotations

from urllib.parse import quote

from litestar import Response

from apphub.access.actor import OutOfReach, ScopeMissing
from apphub.errors import HubError, Unauthenticated
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import Error
from apphub.pages.locale import gettext
from apphub.pages.said import say
from apphub.web.errors import message_of
from apphub.web.request import HubRequest
from apphub.web.xsrf import Forged


def error_page(request: HubRequest, error: Exception, status: int) -> Response[bytes]:
    """A page that tells of the error; whoever must sign in first is sent there, if a page was asked for."""
    reads = request.method in ("GET", "HEAD") and request.scope["path"] != "/hub/metrics"
    if isinstance(error, Unauthenticated) and reads:
        return redirect(sign_in_address(request))
    title, message, advice = words_of(error, status, language(request))
    page = Error(
        status=status,
        title=title,
        message=message,
        advice=advice,
        request_id=request.request_id,
        sign_in=isinstance(error, Unauthenticated),
    )
    return show(request, page, status=status)


def words_of(error: Exception, status: int, tongue: str) -> tuple[str, str, str]:
    """Title, message and advice; where a text is empty the page has one that fits the status."""
    if isinstance(error, Unauthenticated):
        return gettext(tongue, "Please sign in"), gettext(tongue, "Your sign-in has ended."), ""
    if isinstance(error, Forged):
        why = gettext(tongue, "The page that sent this was open for too long, or was not one of the hub's.")
        return "", why, gettext(tongue, "Go back, load the page again, and repeat what you did.")
    if isinstance(error, ScopeMissing):  # whose own words are for programs
        return "", gettext(tongue, "You do not have the right to see or do this."), ""
    if isinstance(error, OutOfReach):
        return "", gettext(tongue, "It is not there, or not open to you."), ""
    if isinstance(error, HubError):
        return "", say(tongue, error.message), say(tongue, error.advice or "")
    if status == 404:
        return "", gettext(tongue, "There is nothing at this address."), ""
    if status == 405:
        return "", gettext(tongue, "This address does not take requests of this method."), ""
    return "", "" if status >= 500 else message_of(error), ""


def sign_in_address(request: HubRequest) -> str:
    """The sign-in page, which leads back to this address."""
    hub = request.hub
    path = request.scope["raw_path"].decode("latin-1").removesuffix("%00")
    here = f"{hub.urls.base.rstrip('/')}{path}"
    query = request.scope["query_string"].decode("latin-1")
    return f"{hub.urls.hub}login?next={quote(f'{here}?{query}' if query else here, safe='/')}"
