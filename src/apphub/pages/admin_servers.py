"""Servers of all: who runs what, and stopping many of them."""

from __future__ import annotations

from typing import cast, get_args

from litestar import Response, get, post

from apphub.jobs.model import Kind
from apphub.listings.model import AskServers, ServerOrder
from apphub.pages.admin_contexts import AdminServers
from apphub.pages.admin_frame import SIZE, cursor_of, filtered, flag, frame, search_of, sort_of
from apphub.pages.answers import redirect, show
from apphub.pages.cards import server_row
from apphub.pages.forms import Form
from apphub.web.needs import beyond_own, manages
from apphub.web.request import HubRequest

ORDERS: tuple[str, ...] = ("-created", *(one for one in get_args(ServerOrder) if one != "-created"))


@get("/hub/admin/servers", guards=[manages("read:servers")])
async def servers(request: HubRequest) -> Response[bytes]:
    """A page of servers within reach."""
    hub, actor = request.hub, request.actor
    ask = AskServers(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=SIZE,
        order=cast("ServerOrder", sort_of(request, ORDERS)),
        active=flag(request, "active"),
        profile=request.query_params.get("profile", "")[:63],
    )
    part = await hub.listings.servers(request.reach("read:servers"), ask)
    icons = {profile.slug: profile.icon for profile in hub.catalogue.all()}
    return show(
        request,
        AdminServers(
            frame=frame(request, "servers", part, ORDERS),
            servers=[
                server_row(line.server, actor, hub.urls, icons, groups=line.groups) for line in part.rows
            ],
            active=ask.active,
            all_path=filtered(request, active=""),
            active_path=filtered(request, active="1"),
            may_stop=beyond_own(actor, "delete:servers"),
        ),
    )


@post("/hub/admin/servers/bulk", guards=[manages("read:servers")])
async def bulk(request: HubRequest) -> Response[bytes]:
    """Begin to stop the servers that were ticked."""
    form = await Form.of(request)
    job = await request.hub.jobs.begin(request.actor, request.by, Kind.STOP, form.texts("server"))
    return redirect(f"{request.hub.urls.hub}admin/jobs/{job}")


ROUTES = [servers, bulk]
