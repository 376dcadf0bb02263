"""Accept access to a server that somebody offers by a code."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.access.scopes import describe
from apphub.pages.addressed import asked
from apphub.pages.answers import redirect, show
from apphub.pages.contexts import AcceptShare, ScopeLine
from apphub.pages.forms import Form
from apphub.shares.model import with_filter
from apphub.web.needs import visitor
from apphub.web.request import HubRequest


@get("/hub/accept-share", guards=[visitor()])
async def ask(request: HubRequest) -> Response[bytes]:
    """What is offered, by whom; nothing is taken before it is confirmed."""
    secret = request.query_params.get("code", "")
    code = await request.hub.shares.find_code(secret)
    scopes = with_filter(code.scopes, code.server.key)
    page = AcceptShare(
        code=secret[:200],
        owner=code.server.key.user,
        server=code.server.key.name,
        display_name=code.server.display_name,
        scopes=[ScopeLine(scope=scope, description=describe(scope)) for scope in scopes],
        next=asked(request),
    )
    return show(request, page)


@post("/hub/accept-share", guards=[visitor()])
async def accept(request: HubRequest) -> Response[bytes]:
    """Take it, and go there."""
    form = await Form.of(request)
    code = await request.hub.shares.accept(request.actor, request.by, form.text("code"))
    return redirect(asked(request) or request.hub.urls.server(*code.server.key))


ROUTES = [ask, accept]
