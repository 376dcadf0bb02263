"""Servers: start, stop, read, change. The default one is the one without a name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Response, delete, get, patch, post, put

from apphub.api.bodies import as_object, flag, only, start_ask, structured_ask
from apphub.api.schema.bodies import ChangeServer, CreateServer, Start, StopServer
from apphub.api.schema.shapes import ServerModel
from apphub.api.wire import own_server_keys, server_json, server_target
from apphub.errors import Forbidden, HubError, Invalid, NotFound
from apphub.servers.model import Server, ServerKey
from apphub.servers.views import default_server
from apphub.web import once
from apphub.web.errors import problem
from apphub.web.json import answer, empty
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

_DEFAULT = "/hub/api/users/{user:str}/server"
_NAMED = "/hub/api/users/{user:str}/servers/{server:str}"
BOTH = [_DEFAULT, _NAMED]


#: A request with a key counts as under way for so long beyond its own patience.
SLACK = timedelta(seconds=5)


class DidNotStart(HubError):
    """The server failed while the request waited for it: the one error that is told as a 500."""


def key_of(request: HubRequest) -> ServerKey:
    """The server that the path names."""
    name = request.segment("server") if "server" in request.path_params else ""
    return ServerKey(request.segment("user"), name)


async def find_in_path(request: HubRequest) -> Server:
    """The server that the path names; raises `NotFound`."""
    key = key_of(request)
    account = await request.hub.views.find_account(key.user)
    server = None
    if account is not None:
        server = account.server(key.name)
        if server is None and not key.name:
            server = default_server(account.person)
    if server is None:
        raise NotFound(
            f"User {key.user} has no server {key.name!r}." if key.name else f"No such user: {key.user}"
        )
    return server


@get(
    BOTH,
    guards=[needs("read:servers")],
    opt=says(
        {200: ServerModel},
        query=[Query("own_keys", str, "1: also why it does not run, and what it was last started with.")],
    ),
)
async def get_server(request: HubRequest) -> Response[bytes]:
    """One server."""
    server = await find_in_path(request)
    model = await _json(request, server)
    if request.query_params.get("own_keys") == "1":
        model.update(own_server_keys(server))
    return answer(model)


@post(
    BOTH,
    guards=[needs("start:servers")],
    opt=says({201: None, 202: None}, takes=Start | dict[str, Any] | None, refuses=[429, 500], keyed=True),
)
async def start_server(request: HubRequest) -> Response[bytes]:
    """Start a server: 201 when it is ready, 202 when that takes longer than a request should wait."""
    hub, key, ask = request.hub, key_of(request), await start_ask(request)
    asked = await once.key_of(request)
    if asked is None:
        return await _outcome(request, await hub.servers.start(request.by, key, ask))
    if (earlier := await hub.keeping.earlier(asked)) is not None:
        return once.again(earlier)
    async with hub.keeping.accepting(asked, hub.settings.timeouts.slow_spawn + SLACK):
        server = await hub.servers.start(request.by, key, ask)
    try:
        response = await _outcome(request, server)
    except DidNotStart as error:
        await hub.keeping.went(asked, once.kept(problem(error)))
        raise
    await hub.keeping.went(asked, once.kept(response))
    return response


async def _outcome(request: HubRequest, server: Server) -> Response[bytes]:
    hub = request.hub
    settled = await hub.servers.started(server, hub.settings.timeouts.slow_spawn)
    if settled is not None and settled.ready:
        return empty(201)
    if settled is not None and settled.failed and settled.attempt == server.attempt:
        raise DidNotStart(settled.reason or "The server did not start.")
    return empty(202)


@put(
    BOTH,
    guards=[needs("start:servers")],
    opt=says({201: ServerModel}, takes=CreateServer | None, refuses=[409]),
)
async def create_server(request: HubRequest) -> Response[bytes]:
    """Make a named server without starting it."""
    body = await request.body_json()
    ask = (
        structured_ask(as_object(body, "Body must be a JSON object"))
        if body is not None
        else structured_ask({})
    )
    if body is not None:
        only(body, CreateServer)
    server = await request.hub.servers.create(request.by, key_of(request), ask)
    await request.hub.publisher.changed([server.key.user])
    return answer(await _json(request, server), 201)


@patch(BOTH, guards=[needs("start:servers")], opt=says({200: ServerModel}, takes=ChangeServer, refuses=[409]))
async def change_server(request: HubRequest) -> Response[bytes]:
    """Change name, display name or options of a stopped server."""
    body = as_object(await request.body_json(), "Body must be a JSON object")
    only(body, ChangeServer)
    if "user_options" in body and not isinstance(body["user_options"], dict):
        raise Invalid("user_options must be a dict")
    name = body.get("name")
    if name is not None and not isinstance(name, str):
        raise Invalid("name must be a string")
    server = await request.hub.servers.modify(
        request.by, key_of(request), structured_ask(body), new_name=name
    )
    await request.hub.publisher.changed([server.key.user])
    return answer(await _json(request, server))


@delete(
    BOTH,
    guards=[needs("delete:servers")],
    status_code=200,
    opt=says({202: None, 204: None}, takes=StopServer | None),
)
async def stop_server(request: HubRequest) -> Response[bytes]:
    """Stop a server, and with `{"remove": true}` forget it: 204 when done, 202 when that takes longer."""
    body = await request.body_json()
    remove = False
    if body is not None:
        only(as_object(body, "Body must be a JSON object"), StopServer)
        remove = flag(body, "remove") or False
    hub, key = request.hub, key_of(request)
    server = await hub.servers.stop(request.by, key, remove=remove)
    if server is None:
        return empty(204)
    left = await hub.servers.stopped(server, hub.settings.timeouts.slow_stop)
    return empty(202 if left is not None and left.active else 204)


@post("/hub/api/users/{user:str}/admin-access", guards=[needs("admin:users")], opt=says({}))
async def admin_access(request: HubRequest) -> Response[bytes]:
    """A leftover of JupyterHub 0.8 that its clients may still call."""
    raise Forbidden("admin access to user servers disabled")


async def _json(request: HubRequest, server: Server) -> ServerModel:
    account = await request.hub.views.find_account(server.key.user)
    groups = frozenset(account.person.groups) if account is not None else frozenset()
    target = server_target(server, groups)
    spots = await request.hub.admission.spots_of([server])
    state = request.actor.may("admin:server_state", target)
    return server_json(server, request.hub.urls, state=state, spot=spots.get(server.id))


ROUTES = [get_server, start_server, create_server, change_server, stop_server, admin_access]
