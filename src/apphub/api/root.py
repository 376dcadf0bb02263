"""The hub itself: version, health, details, and who the caller is."""

from __future__ import annotations

import sys

from litestar import Response, get, route
from litestar.enums import HttpMethod

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.access.grants import Target
from apphub.access.scopes import of_jupyterhub
from apphub.api.schema.shapes import Asking, HubVersion, Info, ServiceAsking, UserAsking
from apphub.api.wire import service_json, user_json
from apphub.people import services as services_store
from apphub.web.json import answer, empty, encode, ready
from apphub.web.needs import needs, public, signed_in
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

_WHY = "what a hub is, and whether it lives, is no secret"


@get("/hub/api", guards=[public(_WHY)], opt=says({200: HubVersion}))
async def version(request: HubRequest) -> Response[bytes]:
    """The version of the contract, as JupyterHub's tools ask for it."""
    return answer({"version": JUPYTERHUB_VERSION})


@route(
    ["/hub/health", "/hub/api/health"],
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    guards=[public(_WHY)],
    opt=says({200: None}),
)
async def health(request: HubRequest) -> Response[bytes]:
    """200 while the hub can answer."""
    return empty()


@get("/hub/api/info", guards=[needs("read:hub")], opt=says({200: Info}))
async def info(request: HubRequest) -> Response[bytes]:
    """Details of the hub."""
    return answer(
        {
            "version": JUPYTERHUB_VERSION,
            "python": sys.version,
            "sys_executable": sys.executable,
            "spawner": {"class": type(request.hub.runtime).__qualname__, "version": __version__},
            "authenticator": {"class": type(request.hub.login).__qualname__, "version": __version__},
        }
    )


@get(
    "/hub/api/user",
    guards=[signed_in()],
    opt=says(
        {200: UserAsking | ServiceAsking},
        query=[Query("own_scopes", str, "1: list also scopes that JupyterHub does not have.")],
    ),
)
async def user(request: HubRequest) -> Response[bytes]:
    """Who the caller is, and what the caller may do: what every server asks about every visitor."""
    hub, own = request.hub, request.query_params.get("own_scopes") == "1"
    key, count = (request.actor, own), hub.db.changes.count
    body = hub.who.find(key)
    if body is None:
        model, lasts = await _asking(request, own)
        body = encode(model)
        if lasts:
            hub.who.keep(key, body, count)
    return ready(body)


async def _asking(request: HubRequest, own: bool) -> tuple[UserAsking | ServiceAsking, bool]:
    """The model of the caller, and whether it stays so until something is written."""
    actor, hub = request.actor, request.hub
    asking: Asking = {
        "token_id": f"a{actor.token_id}" if actor.token_id is not None else None,
        "session_id": actor.session_public_id if actor.token_id is not None else None,
        "scopes": await _scopes(request, own),
    }
    if actor.kind == "user":
        account = await hub.views.account(actor.name)
        line = await hub.admission.spots_of(account.servers)
        return {**user_json(account, actor, hub.urls, line=line), **asking}, not line
    async with hub.db.read() as tx:
        service = await services_store.get_service(tx, actor.name)
    return {**service_json(service, actor), **asking}, True


async def _scopes(request: HubRequest, own: bool) -> list[str]:
    """What the caller may do, in JupyterHub's words; with `own` also in those of our own."""
    actor = request.actor
    by_group = await _by_group(request)
    if not by_group:
        return actor.once(("scopes", own), lambda: _told(set(actor.grants().names()), own))
    return _told({*actor.grants().names(), *by_group}, own)


def _told(names: set[str], own: bool) -> list[str]:
    return sorted(names) if own else of_jupyterhub(sorted(names))


async def _by_group(request: HubRequest) -> list[str]:
    """Servers that the caller's token names and that the caller may use for a group of their owner's.

    Names alone cannot tell (see `Grants.meet`); a server looks for just this scope of its visitor.
    """
    clauses = request.actor.reach("access:servers").clauses
    filters = {narrowing for clause in clauses for narrowing in clause}
    if not any(narrowing.kind == "group" for narrowing in filters):
        return []
    names = []
    for narrowing in filters:
        user = narrowing.value.partition("/")[0]
        account = await request.hub.views.find_account(user) if narrowing.kind == "server" else None
        if account is None:
            continue
        target = Target(user=user, groups=frozenset(account.person.groups), server=narrowing.value)
        if request.actor.may("access:servers", target):
            names.append(f"access:servers{narrowing}")
    return names


ROUTES = [version, health, info, user]
