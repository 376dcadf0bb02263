"""Style sheets, scripts and pictures, and reports of what a policy has stopped."""

from __future__ import annotations

import structlog
from litestar import Response, get, post
from litestar.enums import MediaType

from apphub.errors import NotFound
from apphub.kit import metrics
from apphub.pages.answers import language, renderer
from apphub.pages.locale import gettext
from apphub.web.needs import public
from apphub.web.request import HubRequest

log = structlog.get_logger(__name__)

_WHY = "files that come with the hub are no secret"
_FOREVER = "public, max-age=31536000, immutable"
#: For an address without the hash of the content, or with that of another one: kept, but asked for again.
_CHECKED = "public, no-cache"


@get("/hub/static/{name:str}", guards=[public(_WHY)])
async def static(request: HubRequest) -> Response[bytes]:
    """A file; pages name it with a hash of its content, so that browsers may keep it for ever."""
    return _file(request, request.segment("name"))


@get("/hub/logo", guards=[public(_WHY)])
async def logo(request: HubRequest) -> Response[bytes]:
    """The picture of the hub."""
    return _file(request, "logo.png")


@post("/hub/security/csp-report", guards=[public("browsers report without credentials")])
async def csp_report(request: HubRequest) -> Response[bytes]:
    """A browser has stopped something that a page's policy does not allow: worth a look."""
    report = (await request.body())[:1000]
    metrics.CSP_REPORTS.inc()
    log.warning("csp.violation", report=report.decode(errors="replace"))
    return Response(b"", status_code=204, media_type=MediaType.TEXT)


def _file(request: HubRequest, name: str) -> Response[bytes]:
    file = renderer(request.hub.urls.base, request.hub.settings.pages).statics.get(name)
    if file is None:
        raise NotFound(gettext(language(request), "There is no such file."))
    hashed = request.query_params.get("v") == file.etag.strip('"')
    headers = {"etag": file.etag, "cache-control": _FOREVER if hashed else _CHECKED}
    if _holds(request.headers.get("if-none-match", ""), file.etag):
        return Response(b"", status_code=304, headers=headers, media_type=file.content_type)
    return Response(file.body, headers=headers, media_type=file.content_type)


def _holds(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names this tag (RFC 9110, section 13.1.2: weakly compared)."""
    tags = [tag.strip().removeprefix("W/") for tag in header[:2000].split(",")]
    return etag in tags or tags == ["*"]


ROUTES = [static, logo, csp_report]
