"""Accept access to a server that somebody offers by a code."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.pages.addressed import asked
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import AcceptShare, ScopeLine
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.web.needs import visitor
from apphub.web.request import HubRequest


@get("/hub/accept-share", guards=[visitor()])
async def ask(request: HubRequest) -> Response[bytes]:
    """What is offered, by whom; nothing is taken before it is confirmed."""
    secret = request.query_params.get("code", "")
    code = await request.hub.shares.find_code(secret)
    words = meanings(language(request))
    page = AcceptShare(
        code=secret[:200],
        owner=code.server.key.user,
        server=code.server.key.name,
        display_name=code.server.display_name,
        scopes=[ScopeLine(scope=scope, description=words.get(scope, "")) for scope in sorted(code.scopes)],
        next=asked(request),
    )
    return show(request, page)


@post("/hub/accept-share", guards=[visitor()])
async def accept(request: HubRequest) -> Response[bytes]:
    """Take it, and go there."""
    form = await Form.of(request)
    code = await request.hub.shares.accept(request.actor, request.by, form.text("code"))
    return redirect(asked(request) or request.hub.urls.server(*code.server.key))


def meanings(tongue: str) -> dict[str, str]:
    """What each scope that can be shared means of one server."""
    return {
        "access:servers": gettext(tongue, "Open it."),
        "read:servers": gettext(tongue, "See whether it runs."),
        "start:servers": gettext(tongue, "Start it."),
        "delete:servers": gettext(tongue, "Stop and remove it."),
        "servers": gettext(tongue, "Start, stop and remove it."),
        "users:activity": gettext(tongue, "Report when it was used."),
    }


ROUTES = [ask, accept]
