"""Addresses at hosts of apps where nothing runs: the edge sends `https://lab-ada-17.apps.example.org/x` here as
`/hub/at/lab-ada-17.apps.example.org/x`.

They are led to the address of the same server below the hub's path, which knows the rest: the page
that offers to start it, or the host that it has now.
"""

from __future__ import annotations

from litestar import Response, get

from apphub.errors import NotFound
from apphub.pages.answers import language, redirect
from apphub.pages.cards import target_of
from apphub.pages.locale import gettext
from apphub.web.needs import visitor
from apphub.web.request import HubRequest


@get(["/hub/at/{host:str}", "/hub/at/{host:str}/{rest:path}"], guards=[visitor()])
async def lead(request: HubRequest) -> Response[bytes]:
    """To the server that the host names."""
    hub = request.hub
    server_id = hub.urls.apps.server_id(request.segment("host")) if hub.urls.apps is not None else None
    server = await hub.servers.find_by_id(server_id) if server_id is not None else None
    account = await hub.views.find_account(server.key.user) if server is not None else None
    groups = frozenset(account.person.groups) if account is not None else frozenset()
    # Whoever may not use it learns neither whose it is nor that it is there.
    if (
        server is None
        or account is None
        or not request.actor.may("access:servers", target_of(server, groups))
    ):
        raise NotFound(gettext(language(request), "There is no such server, or it is not open to you."))
    raw = request.scope["raw_path"].decode("latin-1").removesuffix("%00").removeprefix("/hub/at/")
    query = request.scope["query_string"].decode("latin-1")
    page = f"{hub.urls.hub}user{hub.urls.server(*server.key).removeprefix(f'{hub.urls.base}user')}"
    return redirect(f"{page}{raw.partition('/')[2]}" + (f"?{query}" if query else ""))


ROUTES = [lead]
