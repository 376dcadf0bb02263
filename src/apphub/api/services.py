"""Services: programs that talk to the hub in their own name."""

from __future__ import annotations

from litestar import Response, delete, get, post

from apphub.api.bodies import as_object, flag, mapping, only, text, texts
from apphub.api.schema.bodies import CreateService
from apphub.api.schema.shapes import ServiceModel
from apphub.api.wire import service_json
from apphub.errors import Invalid
from apphub.people.services import NewService
from apphub.web.json import answer, empty
from apphub.web.needs import needs, needs_list
from apphub.web.request import HubRequest
from apphub.web.says import says


@get("/hub/api/services", guards=[needs_list("list:services")], opt=says({200: dict[str, ServiceModel]}))
async def list_services(request: HubRequest) -> Response[bytes]:
    """Services within reach, by name."""
    services = await request.hub.services.list(request.reach("list:services"))
    return answer({service.name: service_json(service, request.actor) for service in services})


@get(
    "/hub/api/services/{service:str}",
    guards=[needs("read:services", "read:services:name", "read:roles:services")],
    opt=says({200: ServiceModel}),
)
async def get_service(request: HubRequest) -> Response[bytes]:
    """One service."""
    return answer(service_json(await request.hub.services.get(request.segment("service")), request.actor))


@post(
    "/hub/api/services/{service:str}",
    guards=[needs("admin:services")],
    opt=says({201: ServiceModel}, takes=CreateService, refuses=[409]),
)
async def create_service(request: HubRequest) -> Response[bytes]:
    """Register an external service; one that the hub should run belongs into the settings file."""
    name = request.segment("service")
    body = await request.body_json()
    if not body:
        raise Invalid("Invalid service data", "Send a JSON object with at least one of its fields.")
    only(as_object(body), CreateService)
    if body.get("command"):
        raise Invalid(f"Can not create managed service {name} at runtime", "Declare it in the settings file.")
    info = mapping(body, "info")
    display = flag(body, "display")
    new = NewService(
        name=name,
        admin=flag(body, "admin") or False,
        url=text(body, "url") or None,
        info=info,
        display=True if display is None else display,
        api_token=text(body, "api_token") or None,
        oauth_client_id=text(body, "oauth_client_id") or None,
        oauth_redirect_uri=text(body, "oauth_redirect_uri") or None,
        oauth_allowed_scopes=tuple(texts(body, "oauth_client_allowed_scopes", limit=100) or ()),
        oauth_no_confirm=flag(body, "oauth_no_confirm") or False,
    )
    service = await request.hub.services.create(request.actor, request.by, new)
    await request.hub.publisher.services_changed()
    return answer(service_json(service, request.actor), 201)


@delete(
    "/hub/api/services/{service:str}",
    guards=[needs("admin:services")],
    status_code=200,
    opt=says({200: None}, refuses=[405, 409]),
)
async def delete_service(request: HubRequest) -> Response[bytes]:
    """Forget a service that was registered by the API."""
    await request.hub.services.delete(request.by, request.segment("service"))
    await request.hub.publisher.services_changed()
    return empty(200)


ROUTES = [list_services, get_service, create_service, delete_service]
