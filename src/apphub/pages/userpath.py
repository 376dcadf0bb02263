"""Addresses of servers that the hub is asked for because nothing runs there.

The edge sends `/user/ada/lab/x` here as `/hub/user/ada/lab/x` when it has no route. Programs
are told so with status 424, people get a page that offers to start the server; whoever comes
too early, just after a server has become ready, is sent back.
"""

from __future__ import annotations

from litestar import Response, delete, get, patch, post, put

from apphub.access.grants import Target
from apphub.errors import NotFound
from apphub.pages.answers import redirect, show
from apphub.pages.cards import state_of
from apphub.pages.contexts import Stopped
from apphub.servers.model import Server
from apphub.servers.views import Account, default_server
from apphub.web.json import answer
from apphub.web.needs import signed_in
from apphub.web.request import HubRequest

#: JupyterHub's status for a server that does not run: "failed dependency" (RFC 4918, section 11.4).
STOPPED = 424
_PATH = "/hub/user/{user:str}/{rest:path}"
_BARE = "/hub/user/{user:str}"
#: A request that comes back this often goes in circles.
MOST_REDIRECTS = 4


async def _answer(request: HubRequest) -> Response[bytes]:
    user, path = request.segment("user"), _path(request)
    account = await request.hub.views.find_account(user)
    server = _find(account, path) if account is not None else None
    if account is None or server is None or not _may_see(request, account, server):
        raise NotFound("There is no such server, or it is not open to you.")
    url = f"{request.hub.urls.base.rstrip('/')}{path}"
    program = _is_program(request, path)
    if server.ready and not program:
        return redirect(_once_more(request, url))
    if program:
        where = request.hub.urls.page("spawn", *server.key)
        return answer(
            {
                "message": f"JupyterHub server no longer running at {url}. "
                f"Restart the server at {request.origin}{where}"
            },
            STOPPED,
        )
    query = request.scope["query_string"].decode("latin-1")
    return show(
        request,
        Stopped(
            user=server.key.user,
            server=server.key.name,
            display_name=server.display_name,
            next=f"{url}?{query}" if query else url,
            state=state_of(server),
            reason=(server.reason or "").partition("\n")[0] if server.failed else "",
            may_start=request.actor.may("start:servers", _target(account, server)),
        ),
        status=STOPPED,
    )


def _path(request: HubRequest) -> str:
    """`/user/ada/lab/x` as it was asked for."""
    path = request.scope["raw_path"].decode("latin-1").removeprefix("/hub")
    return f"{path.removesuffix('%00')}" if path.endswith("%00") else path


def _find(account: Account, path: str) -> Server | None:
    """The named server that the path leads to, or else the default one."""
    parts = path.split("/")
    name = parts[3] if len(parts) > 3 else ""
    return (account.server(name) if name else None) or account.server("") or default_server(account.person)


def _target(account: Account, server: Server) -> Target:
    return Target(user=server.key.user, groups=frozenset(account.person.groups), server=str(server.key))


def _may_see(request: HubRequest, account: Account, server: Server) -> bool:
    return request.actor.may("access:servers", _target(account, server))


def _is_program(request: HubRequest, path: str) -> bool:
    accept = request.headers.get("accept", "")
    api = "/api/" in path or path.endswith("/api")
    return request.method != "GET" or api or ("application/json" in accept and "text/html" not in accept)


def _once_more(request: HubRequest, url: str) -> str:
    """Back to the server, counting how often that was tried."""
    try:
        tries = int(request.query_params.get("redirects", "0")) + 1
    except ValueError:
        tries = 1
    if tries > MOST_REDIRECTS:
        raise NotFound("The server runs, but its address leads in circles.", "Wait a moment, then try again.")
    query = [
        part
        for part in request.scope["query_string"].decode("latin-1").split("&")
        if part and not part.startswith("redirects=")
    ]
    return f"{url}?{'&'.join([*query, f'redirects={tries}'])}"


_GUARDS = [signed_in()]
ROUTES = [
    get([_BARE, _PATH], guards=_GUARDS, name="user-get")(_answer),
    post([_BARE, _PATH], guards=_GUARDS, name="user-post")(_answer),
    put([_BARE, _PATH], guards=_GUARDS, name="user-put")(_answer),
    patch([_BARE, _PATH], guards=_GUARDS, name="user-patch")(_answer),
    delete([_BARE, _PATH], guards=_GUARDS, name="user-delete", status_code=200)(_answer),
]
