"""The routing table, and the end of the hub."""

from __future__ import annotations

from litestar import Response, get, patch, post

from apphub.api.bodies import as_optional_object
from apphub.api.paging import PAGING, page_bounds, page_json, wants_pages
from apphub.api.schema.bodies import MoveProxy, Shutdown
from apphub.api.schema.shapes import Page, RouteModel, Told
from apphub.errors import Invalid, shown
from apphub.servers.model import Server
from apphub.web.json import answer, empty
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import says


def route_json(server: Server, prefix: str) -> RouteModel:
    """A route as JupyterHub's proxies describe it."""
    return {
        "routespec": prefix,
        "target": f"http://{server.address}",
        "data": {
            "user": server.key.user,
            "server_name": server.key.name,
            "last_activity": server.last_activity,
        },
    }


@get(
    "/hub/api/proxy",
    guards=[needs("proxy", everywhere=True)],
    opt=says({200: dict[str, RouteModel] | Page[dict[str, RouteModel]]}, query=PAGING),
)
async def list_routes(request: HubRequest) -> Response[bytes]:
    """Every route, by its prefix; all of them, unless a page is asked for."""
    page_bounds(request)
    servers = await request.hub.views.list_routes()
    routes = {}
    for server in servers:
        prefix = request.hub.urls.server(*server.key)
        routes[prefix] = route_json(server, prefix)
    if not wants_pages(request):
        return answer(routes)
    offset, limit = page_bounds(request)
    part = dict(list(routes.items())[offset : offset + limit])
    return answer(page_json(request, part, offset, limit, len(routes)))


@post("/hub/api/proxy", guards=[needs("proxy", everywhere=True)], status_code=200, opt=says({200: None}))
async def refresh_routes(request: HubRequest) -> Response[bytes]:
    """Publish every route anew."""
    return await _refreshed(request)


@patch("/hub/api/proxy", guards=[needs("proxy", everywhere=True)], opt=says({200: None}, takes=MoveProxy))
async def move_proxy(request: HubRequest) -> Response[bytes]:
    """JupyterHub is told here of a new proxy; this hub's edges come by themselves, so the routes are refreshed."""
    if not await request.body():
        raise Invalid("need JSON body")
    try:
        body = await request.body_json()
    except Invalid:
        body = None
    if not isinstance(body, dict):
        raise Invalid("Request body must be JSON dict")
    for key in ("ip", "port", "protocol", "auth_token"):
        if body.get(key) is not None:
            raise Invalid(f"{key} cannot be set: edges connect to the hub by themselves")
    return await _refreshed(request)


async def _refreshed(request: HubRequest) -> Response[bytes]:
    servers = await request.hub.views.list_routes()
    await request.hub.publisher.changed({server.key.user for server in servers})
    return empty()


@post(
    "/hub/api/shutdown",
    guards=[needs("shutdown", everywhere=True)],
    opt=says({202: Told}, takes=Shutdown | None),
)
async def shutdown(request: HubRequest) -> Response[bytes]:
    """End the hub, and with `{"servers": true}` stop users' servers first."""
    body = as_optional_object(await request.body_json(), "Body must be a JSON object")
    for key in ("proxy", "servers"):
        if key in body and not isinstance(body[key], bool):
            raise Invalid(f"{key} must be true or false, got {shown(body[key])}")
    await request.hub.audit.note(request.by, "hub.shutdown", "hub")
    if body.get("servers"):
        await request.hub.servers.stop_all(request.by)
    request.hub.stopping.set()
    return answer({"message": "Shutting down Hub"}, 202)


ROUTES = [list_routes, refresh_routes, move_proxy, shutdown]
