"""Errors as pages: what went wrong, what to do, and a name for it in the logs."""

from __future__ import annotations

from urllib.parse import quote

from litestar import Response

from apphub.errors import HubError, Unauthenticated
from apphub.pages.answers import redirect, show
from apphub.pages.contexts import Error
from apphub.web.errors import message_of
from apphub.web.request import HubRequest


def error_page(request: HubRequest, error: Exception, status: int) -> Response[bytes]:
    """A page that tells of the error; whoever must sign in first is sent there, if a page was asked for."""
    reads = request.method in ("GET", "HEAD") and request.scope["path"] != "/hub/metrics"
    if isinstance(error, Unauthenticated) and reads:
        return redirect(sign_in_address(request))
    return show(
        request,
        Error(
            status=status,
            message=error.message if isinstance(error, HubError) else message_of(error),
            advice=(error.advice or "") if isinstance(error, HubError) else "",
            request_id=request.request_id,
        ),
        status=status,
    )


def sign_in_address(request: HubRequest) -> str:
    """The sign-in page, which leads back to this address."""
    hub = request.hub
    path = request.scope["raw_path"].decode("latin-1").removesuffix("%00")
    here = f"{hub.urls.base.rstrip('/')}{path}"
    query = request.scope["query_string"].decode("latin-1")
    return f"{hub.urls.hub}login?next={quote(f'{here}?{query}' if query else here, safe='/')}"
