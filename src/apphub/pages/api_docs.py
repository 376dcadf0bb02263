"""The API to read: what `openapi.json` says, as a page without scripts."""

from __future__ import annotations

from litestar import Response, get

from apphub.pages.answers import show
from apphub.pages.contexts import ApiDocs
from apphub.web.needs import public
from apphub.web.request import HubRequest


@get("/hub/api-docs", guards=[public("what the API looks like is no secret")])
async def api_docs(request: HubRequest) -> Response[bytes]:
    """Every operation of the API."""
    return show(request, ApiDocs(book=request.book))


ROUTES = [api_docs]
