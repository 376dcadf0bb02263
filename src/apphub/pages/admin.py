"""Users and their servers, for administrators."""

from __future__ import annotations

from litestar import Response, get

from apphub.pages.answers import renderer, show
from apphub.pages.cards import server_row
from apphub.pages.contexts import Admin, UserRow
from apphub.servers.views import Page
from apphub.web.needs import needs_list
from apphub.web.request import HubRequest

#: Users on a page.
SIZE = 50


@get("/hub/admin", guards=[needs_list("admin-ui")])
async def admin(request: HubRequest) -> Response[bytes]:
    """A page of users within reach, searched by name."""
    search = request.query_params.get("search", "").strip()[:255]
    offset = _offset(request)
    reach = request.reach("list:users")
    part = Page(offset=offset, limit=SIZE, order="name", name_filter=search or None)
    hub = request.hub
    accounts = await hub.views.list_accounts(reach, part)
    total = await hub.views.count_accounts(reach, part)
    icons = {profile.slug: profile.icon for profile in hub.catalogue.all()}
    users = [
        UserRow(
            name=account.person.name,
            admin=account.person.admin,
            groups=account.person.groups,
            last_activity=account.person.last_activity,
            servers=[server_row(server, hub.urls, icons) for server in account.servers if server.attempt],
        )
        for account in accounts
    ]
    return show(
        request,
        Admin(
            users=users,
            total=total,
            first=offset,
            search=search,
            before=_link(request, search, offset - SIZE) if offset else "",
            after=_link(request, search, offset + SIZE) if offset + SIZE < total else "",
        ),
    )


def _offset(request: HubRequest) -> int:
    value = request.query_params.get("offset", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


def _link(request: HubRequest, search: str, offset: int) -> str:
    return renderer(request.hub.urls.base).hub(
        "admin", search=search, offset=str(max(offset, 0)) if offset > 0 else ""
    )


ROUTES = [admin]
