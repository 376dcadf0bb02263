"""The web application: doors mounted, errors rendered. Composition only."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from litestar import Litestar, Response
from litestar.enums import MediaType
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from apphub.api.openapi import document
from apphub.api.reference_page import reference as reference_of
from apphub.api.routes import ROUTES as API
from apphub.errors import HubError
from apphub.gate.routes import ROUTES as GATE
from apphub.hub import Hub
from apphub.pages.errors import error_page
from apphub.pages.routes import ROUTES as PAGES
from apphub.web.dispatch import Dispatch
from apphub.web.errors import headers_of, message_of, problem, status_of
from apphub.web.front import Front
from apphub.web.methods import keep_methods, tell_methods
from apphub.web.metrics import figures
from apphub.web.request import HubRequest

log = structlog.get_logger(__name__)


ROUTES = [*API, *PAGES, *GATE, figures]


class App(Litestar):
    """Without what Litestar adds for models of Pydantic (both its versions) and attrs, six megabytes.

    Doors speak msgspec. Should Litestar call it something else one day, it is added again, and no harm is done.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def build_app(hub: Hub) -> Litestar:
    """All doors of a hub."""
    app = App(
        route_handlers=ROUTES,
        request_class=HubRequest,
        exception_handlers={Exception: render_error},  # type: ignore[dict-item]
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # `Front` bounds it, and hears the client out
        before_send=[tell_methods],
    )
    keep_methods(app)
    app.state.document = cache(lambda: document(app, hub.urls.base))  # made when it is first asked for
    return app


def described() -> dict[str, Any]:
    """The document of the API, without a hub."""
    return document(App(ROUTES, request_class=HubRequest, openapi_config=None), "/")


def reference() -> str:
    """The reference of the API, as Markdown."""
    return reference_of(described())


def edge_door(app: Litestar, hub: Hub) -> Front:
    """For the unix socket that only the edge opens: what it says in `X-Forwarded-*` counts."""
    return Front(Dispatch(app, render_error), hub, base=hub.urls.base, trusted=True, apps=hub.urls.apps)


def server_door(app: Litestar, hub: Hub) -> Front:
    """For the loopback port that servers use."""
    return Front(Dispatch(app, render_error), hub, base=hub.urls.base, trusted=False, apps=hub.urls.apps)


def render_error(request: HubRequest, error: Exception) -> Response[bytes]:
    """An error as JSON for programs and as a page for people."""
    status = status_of(error)
    if status >= 500 and not isinstance(error, HubError):
        log.error("request.fault", request_id=request.request_id, exc_info=error)
    path = request.scope["path"]
    if request.at_app:
        words = f"{message_of(error)}\n".encode()
        return Response(words, status_code=status, headers=headers_of(error), media_type=MediaType.TEXT)
    if (path + "/").startswith("/hub/api/") and not path.startswith("/hub/api/oauth2/authorize"):
        response = problem(error)
        if request.method == "HEAD":
            response = Response(b"", status_code=status, media_type=MediaType.JSON)
    else:
        response = error_page(request, error, status)
    response.headers.update(headers_of(error))
    return response
