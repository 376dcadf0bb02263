"""Home: what I may start, and what I have."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from msgspec.structs import replace

from apphub.errors import NotFound
from apphub.kit.urls import segment
from apphub.listings.model import AskServices
from apphub.pages.answers import language, redirect, show
from apphub.pages.cards import card, server_row
from apphub.pages.contexts import Card, Guest, Home, Link
from apphub.pages.locale import gettext
from apphub.pages.signin import landing
from apphub.servers.views import Account
from apphub.shares.model import Level, Of
from apphub.web.needs import public, visitor
from apphub.web.request import HubRequest

#: Of the services, and of what others share, so many are shown.
MOST = 200


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
    return show(request, await home_page(request))


async def _first_run(request: HubRequest, account: Account) -> bool:
    """Whether an administrator looks at a hub that nobody else uses yet."""
    if not account.person.admin or account.servers:
        return False
    people, _ = await request.hub.views.count_all()
    return people == 1


@get("/hub/{rest:path}", guards=[public("says that nothing is there")])
async def nowhere(request: HubRequest) -> Response[bytes]:
    """An address that is nobody's: a route, so that its page knows who is signed in."""
    raise NotFound(gettext(language(request), "There is nothing at this address."))


async def home_page(request: HubRequest) -> Home:
    """What the home page shows to its person."""
    hub = request.hub
    account = await hub.views.account(request.actor.name)
    services = await hub.listings.services(
        request.actor.reach("access:services"), AskServices(shown=True, limit=MOST)
    )
    shared, _ = await hub.shares.list_shares(Of(user=account.person.name), offset=0, limit=MOST)
    guests = await guests_of(request, account)
    groups = frozenset(account.person.groups)
    servers = [server for server in account.servers if server.key.name or server.attempt]
    servers.sort(key=lambda server: (not server.active, server.key.name))
    given = {share.server.id: share.server for share in shared}  # one may be shared in several ways
    busy = _default_is_used(account)
    named = _may_have_more(account, hub.settings.limits.named_servers_per_user)
    return Home(
        servers=[
            server_row(request, server, groups=groups, guests=guests.get(server.id, ())) for server in servers
        ],
        cards=_cards(request, account, full=busy and not named),
        shared=[server_row(request, server, listed=False) for server in given.values()],
        services=[
            Link(service.name, f"{hub.urls.base}services/{segment(service.name)}/")
            for service in services.rows
        ],
        named=named,
        suggested_name=_free_name(account) if named and busy else "",
        check=hub.urls.page("check", account.person.name),
        first_run=await _first_run(request, account),
    )


async def guests_of(request: HubRequest, account: Account) -> dict[int, list[Guest]]:
    """Whom this person's servers are shared with, by the server's id."""
    if not request.actor.holds("shares"):
        return {}
    given, _ = await request.hub.shares.list_shares(Of(owner=account.person.name), offset=0, limit=1000)
    guests: dict[int, list[Guest]] = {}
    for share in given:
        guest = Guest(
            name=share.user or share.group or "",
            kind="user" if share.user is not None else "group",
            may_use=share.level is Level.USE,
            expires=share.expires,
        )
        guests.setdefault(share.server.id, []).append(guest)
    codes, _ = await request.hub.shares.list_codes(Of(owner=account.person.name), offset=0, limit=1000)
    for code in codes:
        may_use = "access:servers" in code.scopes
        guest = Guest(name=code.wire_id, kind="link", may_use=may_use, expires=code.expires)
        guests.setdefault(code.server.id, []).append(guest)
    return guests


def _cards(request: HubRequest, account: Account, *, full: bool) -> list[Card]:
    """What may be started first, then what may not, with the reason why where the site wants that."""
    tongue, look = language(request), request.hub.settings.pages
    catalogue = request.hub.catalogue
    open_ones = {profile.slug: profile for profile in catalogue.open_to(account.person)}
    shown = catalogue.all() if look.locked == "show" else open_ones.values()
    cards = [
        card(
            open_ones.get(profile.slug, profile),
            tongue,
            last_options(account, profile.slug),
            is_open=profile.slug in open_ones,
            ask=look.ask_for_access,
        )
        for profile in shown
    ]
    if full:
        why = gettext(tongue, "You have as many servers as you may. Stop or remove one first.")
        cards = [replace(one, locked=one.locked or why) for one in cards]
    return sorted(cards, key=lambda one: bool(one.locked))


def last_options(account: Account, slug: str) -> dict[str, Any]:
    """What somebody chose when they last started this profile."""
    started = [
        one for one in account.servers if one.plan is not None and one.plan.profile == slug and one.requested
    ]
    started.sort(key=lambda one: one.requested or one.created)
    return dict(started[-1].plan.options) if started and started[-1].plan is not None else {}


def _default_is_used(account: Account) -> bool:
    default = account.server("")
    return default is not None and default.active


def _may_have_more(account: Account, limit: int) -> bool:
    """Whether there may be another named server; 0 means no limit."""
    return not limit or sum(bool(server.key.name) for server in account.servers) < limit


def _free_name(account: Account) -> str:
    taken = {server.key.name for server in account.servers}
    return next(name for number in range(2, 10_000) if (name := f"app-{number}") not in taken)


ROUTES = [outside, root, home, nowhere]
