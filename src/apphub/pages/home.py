"""Home: what I may start, and what I have."""

from __future__ import annotations

from litestar import Response, get

from apphub.kit.urls import segment
from apphub.pages.answers import redirect, show
from apphub.pages.cards import card, server_row
from apphub.pages.contexts import Home, Link
from apphub.pages.signin import landing
from apphub.people.model import Service
from apphub.servers.views import Account
from apphub.shares.model import Of, Share
from apphub.web.needs import public, visitor
from apphub.web.request import HubRequest


@get("/", guards=[public("leads to the hub")])
async def outside(request: HubRequest) -> Response[bytes]:
    """The root of the site leads to the hub."""
    return redirect(request.hub.urls.hub)


@get("/hub", guards=[public("leads home or to the sign-in page")])
async def root(request: HubRequest) -> Response[bytes]:
    """The hub's root leads home, once signed in."""
    if not request.scope["raw_path"].endswith(b"/"):
        return redirect(request.hub.urls.hub, 301)
    request.actor  # noqa: B018 - raises for nobody, who is sent to sign in
    return redirect(landing(request))


@get("/hub/home", guards=[visitor()])
async def home(request: HubRequest) -> Response[bytes]:
    """The home page."""
    account = await request.hub.views.account(request.actor.name)
    services = await request.hub.services.list(request.actor.reach("access:services"))
    shared, _ = await request.hub.shares.list_shares(Of(user=account.person.name), offset=0, limit=200)
    return show(request, home_page(request, account, services, shared))


def home_page(request: HubRequest, account: Account, services: list[Service], shared: list[Share]) -> Home:
    """What the home page shows of a person."""
    hub = request.hub
    groups = frozenset(account.person.groups)
    profiles = hub.catalogue.all()
    icons = {profile.slug: profile.icon for profile in profiles}
    cards = [card(profile, groups) for profile in profiles]
    cards.sort(key=lambda one: bool(one.locked))
    servers = [server for server in account.servers if server.key.name or server.attempt]
    servers.sort(key=lambda server: (not server.active, server.key.name))
    default = account.server("")
    return Home(
        servers=[server_row(server, hub.urls, icons) for server in servers],
        cards=cards,
        shared=[server_row(share.server, hub.urls, icons, own=False) for share in shared],
        services=[
            Link(service.name, f"{hub.urls.base}services/{segment(service.name)}/")
            for service in services
            if service.display and service.url
        ],
        suggested_name=_free_name(account) if default is not None and default.active else "",
    )


def _free_name(account: Account) -> str:
    taken = {server.key.name for server in account.servers}
    return next(name for number in range(2, 10_000) if (name := f"app-{number}") not in taken)


ROUTES = [outside, root, home]
