"""Services: what they are, and the end of those that the API made."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.access.grants import Target
from apphub.pages.admin_contexts import AdminServices, ServiceRow
from apphub.pages.admin_frame import frame
from apphub.pages.answers import redirect, show
from apphub.pages.forms import Form
from apphub.people.model import Service, Source
from apphub.web.needs import manages, needs
from apphub.web.request import HubRequest


@get("/hub/admin/services", guards=[manages("list:services")])
async def services(request: HubRequest) -> Response[bytes]:
    """All services within reach."""
    found = await request.hub.services.list(request.reach("list:services"))
    rows = [_row(request, service) for service in found]
    return show(request, AdminServices(frame=frame(request, "services"), services=rows))


@post("/hub/admin/services/{service:str}/delete", guards=[needs("admin:services")])
async def delete(request: HubRequest) -> Response[bytes]:
    """Forget a service; its tokens end."""
    await Form.of(request)
    await request.hub.services.delete(request.by, request.segment("service"))
    return redirect(f"{request.hub.urls.hub}admin/services")


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
