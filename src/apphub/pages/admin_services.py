"""Services: what they are, and the end of those that the API made."""

from __future__ import annotations

from typing import cast, get_args

from litestar import Response, get, post

from apphub.access.grants import Target
from apphub.listings.model import AskServices, NameOrder
from apphub.pages.admin_contexts import AdminServices, ServiceRow
from apphub.pages.admin_frame import SIZE, back, cursor_of, frame, search_of, sort_of
from apphub.pages.answers import redirect, show
from apphub.pages.forms import Form
from apphub.people.model import Service, Source
from apphub.web.needs import manages, needs
from apphub.web.request import HubRequest

ORDERS: tuple[str, ...] = get_args(NameOrder)


@get("/hub/admin/services", guards=[manages("list:services")])
async def services(request: HubRequest) -> Response[bytes]:
    """A page of services within reach, those of the settings file and those of the API."""
    ask = AskServices(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=SIZE,
        order=cast("NameOrder", sort_of(request, ORDERS)),
    )
    part = await request.hub.listings.services(request.reach("list:services"), ask)
    rows = [_row(request, service) for service in part.rows]
    return show(request, AdminServices(frame=frame(request, "services", part, ORDERS), services=rows))


@post("/hub/admin/services/{service:str}/delete", guards=[needs("admin:services")])
async def delete(request: HubRequest) -> Response[bytes]:
    """Forget a service; its tokens end."""
    await Form.of(request)
    await request.hub.services.delete(request.by, request.segment("service"))
    return redirect(back(request, "admin/services"))


def _row(request: HubRequest, service: Service) -> ServiceRow:
    actor, target = request.actor, Target(service=service.name)
    reads = actor.may("read:services", target)
    declared = service.source is Source.SETTINGS
    return ServiceRow(
        name=service.name,
        url=(service.url or "") if reads else "",
        admin=service.admin,
        roles=service.roles if actor.may("read:roles:services", target) else (),
        managed=bool(service.command),
        declared=declared,
        may_delete=not declared and actor.may("admin:services", target),
    )


ROUTES = [services, delete]
