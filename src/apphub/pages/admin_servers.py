"""Servers of all: who runs what, and stopping many of them."""

from __future__ import annotations

from typing import cast, get_args

from litestar import Response, get, post

from apphub.errors import Invalid
from apphub.jobs.model import MOST, Kind
from apphub.listings.model import AskServers, ServerOrder
from apphub.pages.admin_confirm import asks_for_all, question, ticked
from apphub.pages.admin_contexts import AdminServers
from apphub.pages.admin_frame import cursor_of, filtered, flag, frame, search_of, sort_of
from apphub.pages.answers import language, redirect, show
from apphub.pages.cards import server_row
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.web.needs import beyond_own, manages
from apphub.web.request import HubRequest

#: On a page: each has buttons and a menu of its own.
ROWS = 30
ORDERS: tuple[str, ...] = ("-created", *(one for one in get_args(ServerOrder) if one != "-created"))


@get("/hub/admin/servers", guards=[manages("read:servers")])
async def servers(request: HubRequest) -> Response[bytes]:
    """A page of servers within reach."""
    hub, actor = request.hub, request.actor
    ask = AskServers(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=ROWS,
        order=cast("ServerOrder", sort_of(request, ORDERS)),
        active=flag(request, "active"),
        profile=request.query_params.get("profile", "")[:63],
    )
    part = await hub.listings.servers(request.reach("read:servers"), ask)
    return show(
        request,
        AdminServers(
            frame=frame(request, "servers", part, ORDERS),
            servers=[server_row(request, line.server, groups=line.groups) for line in part.rows],
            active=ask.active,
            profile=ask.profile,
            all_path=filtered(request, active=""),
            active_path=filtered(request, active="1"),
            may_stop=beyond_own(actor, "delete:servers"),
        ),
    )


@post("/hub/admin/servers/bulk", guards=[manages("read:servers")])
async def bulk(request: HubRequest) -> Response[bytes]:
    """Begin to stop or to delete the servers that were ticked, or all that the list holds."""
    form = await Form.of(request)
    names = await _chosen(request, form)
    if form.text("do") in ("delete", "really-delete") and (
        asked := question(request, form, "servers", names)
    ):
        return asked
    kind = {"stop": Kind.STOP, "really-delete": Kind.REMOVE}.get(form.text("do"))
    if kind is None:
        raise Invalid(gettext(language(request), "Choose what to do."))
    job = await request.hub.jobs.begin(request.actor, request.by, kind, names)
    return redirect(f"{request.hub.urls.hub}admin/jobs/{job}")


async def _chosen(request: HubRequest, form: Form) -> list[str]:
    """The servers that a form is about; those out of reach are refused when their turn comes."""
    if not asks_for_all(form):
        return ticked(form, "server")
    asked = AskServers(
        search=form.text("search"), active=form.text("active") == "1", profile=form.text("profile")
    )
    return await request.hub.listings.server_names(request.reach("read:servers"), asked, most=MOST + 1)


ROUTES = [servers, bulk]
