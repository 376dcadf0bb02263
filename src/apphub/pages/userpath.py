"""Addresses of servers that the hub is asked for because nothing runs there.

The edge sends `/user/ada/lab/x` here as `/hub/user/ada/lab/x` when it has no route. Programs
are told so with status 424, people get a page that offers to start the server; whoever comes
too early, just after a server has become ready, is sent back.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from litestar import Response, delete, get, patch, post, put

from apphub.errors import NotFound
from apphub.pages.answers import language, redirect, show
from apphub.pages.cards import target_of
from apphub.pages.locale import gettext
from apphub.pages.stopped import stopped_page
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
#: Whoever comes back is sent back after this long (seconds), and after twice that the next time: edges hear
#: of changes within moments, and a quick client would have been around often enough by then.
PAUSE = 0.1


async def _answer(request: HubRequest) -> Response[bytes]:
    user, path = request.segment("user"), _path(request)
    account = await request.hub.views.find_account(user)
    server = _find(account, path) if account is not None else None
    if account is None or server is None or not _may_see(request, account, server):
        raise NotFound(gettext(language(request), "There is no such server, or it is not open to you."))
    url = f"{request.hub.urls.base.rstrip('/')}{path}"
    if url == request.hub.urls.server(*server.key).rstrip("/"):
        url += "/"  # without it, this is a page of the default server
        if server.ready and request.method == "GET":
            return redirect(await _once_more(request, url))
    program = _is_program(request, path)
    if server.ready:
        # The edge believes that nothing runs there: too early, or of a server that has been removed.
        await request.hub.publisher.changed([user])
    if server.ready and not program:
        return redirect(await _once_more(request, url))
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
    page = stopped_page(request, account, server, f"{url}?{query}" if query else url)
    return show(request, page, status=STOPPED)


def _path(request: HubRequest) -> str:
    """`/user/ada/lab/x` as it was asked for."""
    path = request.scope["raw_path"].decode("latin-1").removeprefix("/hub")
    return f"{path.removesuffix('%00')}" if path.endswith("%00") else path


def _find(account: Account, path: str) -> Server | None:
    """The named server that the path leads to, or else the default one."""
    parts = path.split("/")
    name = parts[3] if len(parts) > 3 else ""
    return (account.server(name) if name else None) or account.server("") or default_server(account.person)


def _may_see(request: HubRequest, account: Account, server: Server) -> bool:
    groups = frozenset(account.person.groups)
    return request.actor.may("access:servers", target_of(server, groups))


def _is_program(request: HubRequest, path: str) -> bool:
    accept = request.headers.get("accept", "")
    api = "/api/" in path or path.endswith("/api")
    return request.method != "GET" or api or ("application/json" in accept and "text/html" not in accept)


async def _once_more(request: HubRequest, url: str) -> str:
    """Back to the server, counting how often that was tried."""
    try:
        tries = int(request.query_params.get("redirects", "0")) + 1
    except ValueError:
        tries = 1
    if tries > MOST_REDIRECTS:
        raise NotFound(
            gettext(language(request), "The server runs, but its address leads in circles."),
            gettext(language(request), "Wait a moment, then try again."),
        )
    if tries > 1:
        await asyncio.sleep(PAUSE * 2 ** (tries - 2))
    query = [
        part
        for part in request.scope["query_string"].decode("latin-1").split("&")
        if part and not part.startswith("redirects=")
    ]
    return f"{url}?{'&'.join([*query, f'redirects={tries}'])}"


async def _redirect(request: HubRequest) -> Response[bytes]:
    """`/hub/user-redirect/x`: the page x of my own default server, which is started first where it must be."""
    rest = request.scope["raw_path"].decode("latin-1").removesuffix("%00").partition("/user-redirect/")[2]
    query = request.scope["query_string"].decode("latin-1")
    account = await request.hub.views.account(request.actor.name)
    server = account.server("")
    url = f"{request.hub.urls.user(account.person.name)}{rest}" + (f"?{query}" if query else "")
    if server is not None and server.ready:
        return redirect(url)
    spawn = request.hub.urls.page("spawn", account.person.name)
    return redirect(f"{spawn}?next={quote(url, safe='/')}")


_GUARDS = [signed_in()]
ROUTES = [
    get(["/hub/user-redirect", "/hub/user-redirect/{rest:path}"], guards=_GUARDS)(_redirect),
    get([_BARE, _PATH], guards=_GUARDS, name="user-get")(_answer),
    post([_BARE, _PATH], guards=_GUARDS, name="user-post")(_answer),
    put([_BARE, _PATH], guards=_GUARDS, name="user-put")(_answer),
    patch([_BARE, _PATH], guards=_GUARDS, name="user-patch")(_answer),
    delete([_BARE, _PATH], guards=_GUARDS, name="user-delete", status_code=200)(_answer),
]
