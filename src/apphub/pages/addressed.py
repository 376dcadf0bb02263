"""The server that a page's path names, and where its visitor goes from there.

`next` is where somebody wanted to go. It is only ever a path on this host: of an app, which is
opened once its server is ready, or of a page of the hub, which is shown again when done.
"""

from __future__ import annotations

from urllib.parse import quote

from apphub.errors import NotFound
from apphub.kit.urls import local_path
from apphub.pages.answers import language
from apphub.pages.locale import gettext
from apphub.servers.launch import first_page
from apphub.servers.model import Server, ServerKey, parse_server_name
from apphub.servers.views import Account, default_server
from apphub.web.request import HubRequest


def paths(verb: str) -> list[str]:
    """The paths of a page about a server: the default one and named ones."""
    return [f"/hub/{verb}/{{user:str}}", f"/hub/{verb}/{{user:str}}/{{server:str}}"]


def key_of(request: HubRequest) -> ServerKey:
    """The server that the path names."""
    name = request.segment("server") if "server" in request.path_params else ""
    return ServerKey(request.segment("user"), parse_server_name(name) if name else "")


async def find_account(request: HubRequest) -> Account:
    """The person that the path names."""
    account = await request.hub.views.find_account(request.segment("user"))
    if account is None:
        raise NotFound(gettext(language(request), "There is no such user."))
    return account


def find_server(account: Account, key: ServerKey) -> Server | None:
    """The server, also the default one that has never been started."""
    return account.server(key.name) or (default_server(account.person) if not key.name else None)


def asked(request: HubRequest) -> str:
    """`next`, if it stays on this host; else empty."""
    return local_path(request.query_params.get("next")) or ""


def goal_of(request: HubRequest, server: Server) -> str:
    """Where to go when the server is ready."""
    return asked(request) or first_page(server, request.hub.urls)


def back_of(request: HubRequest) -> str:
    """The page of the hub to go back to: the one that `next` names, or home."""
    hub = request.hub.urls.hub
    goal = asked(request)
    return goal if goal.startswith(hub) else f"{hub}home"


def onward(request: HubRequest, server: Server) -> str:
    """To the app when it runs, to its progress when it is on its way, else to the form that starts it."""
    if server.ready:
        return goal_of(request, server)
    kind = "spawn-pending" if server.active else "spawn"
    return with_next(request, request.hub.urls.page(kind, *server.key))


def pending_path(request: HubRequest, key: ServerKey) -> str:
    """The page of the server's progress, with the same `next`."""
    return with_next(request, request.hub.urls.page("spawn-pending", *key))


def with_next(request: HubRequest, path: str) -> str:
    """The path with the same `next`."""
    goal = asked(request)
    return f"{path}?next={quote(goal, safe='/')}" if goal else path
