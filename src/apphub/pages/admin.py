"""Users and their servers, for administrators."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Response, get

from apphub.access.grants import Target
from apphub.pages.answers import renderer, show
from apphub.pages.cards import server_row, target_of
from apphub.pages.contexts import Admin, UserRow
from apphub.servers.views import Account, Page, default_server
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
    return show(
        request,
        Admin(
            users=[_row(request, account, icons) for account in accounts],
            here=_link(request, search, offset),
            total=total,
            first=offset,
            search=search,
            before=_link(request, search, offset - SIZE) if offset else "",
            after=_link(request, search, offset + SIZE) if offset + SIZE < total else "",
        ),
    )


def _row(request: HubRequest, account: Account, icons: Mapping[str, str]) -> UserRow:
    """A user, as far as this administrator may look."""
    person, actor = account.person, request.actor
    groups = frozenset(person.groups)
    target = Target(user=person.name, groups=groups)
    default = account.server("") or default_server(person)
    return UserRow(
        name=person.name,
        admin=person.admin and actor.may("read:users:name", target),
        groups=person.groups if actor.may("read:users:groups", target) else (),
        last_activity=person.last_activity if actor.may("read:users:activity", target) else None,
        servers=[
            server_row(server, actor, request.hub.urls, icons, groups=groups)
            for server in account.servers
            if (server.key.name or server.attempt) and actor.may("read:servers", target_of(server, groups))
        ],
        may_start=not default.attempt and actor.may("start:servers", target_of(default, groups)),
    )


def _offset(request: HubRequest) -> int:
    value = request.query_params.get("offset", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


def _link(request: HubRequest, search: str, offset: int) -> str:
    return renderer(request.hub.urls.base).hub(
        "admin", search=search, offset=str(max(offset, 0)) if offset > 0 else ""
    )


ROUTES = [admin]
