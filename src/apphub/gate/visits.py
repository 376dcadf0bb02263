"""Which server an address leads to, and who visits it."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import unquote

from litestar.datastructures import Cookie
from msgspec import Struct
from msgspec.structs import replace

from apphub.access.actor import Actor
from apphub.errors import Forbidden, NotFound
from apphub.kit import clock, cookies
from apphub.passes.actions import may_visit
from apphub.servers.model import Server
from apphub.servers.places import full_url, own_origin
from apphub.servers.views import Account
from apphub.web.credentials import TOKEN
from apphub.web.request import HubRequest


class Visit(Struct, frozen=True):
    """A visit to a server that runs, and whose edge asks."""

    account: Account
    server: Server
    #: The app's own host, if it has one: https://lab-ada-17.apps.example.org.
    own: str | None = None

    def open_to(self, actor: Actor | None) -> bool:
        """Whether this person or program may use the server."""
        groups = frozenset(self.account.person.groups)
        return actor is not None and may_visit(actor, self.server.key, groups)


def admitted(visit: Visit | None, actor: Actor | None) -> Visit:
    """The visit, where there is an app and it is open to this person; raises `NotFound` or `Forbidden`."""
    if visit is None:
        raise NotFound("There is no app at this address.", "It may have stopped; see your home page.")
    if not visit.open_to(actor):
        raise Forbidden(
            f"This app of {visit.server.key.user} is not open to you.", "Ask its owner to share it with you."
        )
    return visit


async def find_visit(request: HubRequest, path: str) -> Visit | None:
    """The guarded server below whose prefix a path (`/user/ada/lab/x`, as sent) lies, by the rule that the
    edge routes by: a named server, also one that does not run, wins over the default one.
    """
    parts = path.split("/")
    if len(parts) < 4 or parts[1] != "user":
        return None
    account = await request.hub.views.find_account(unquote(parts[2]))
    if account is None:
        return None
    named = account.server(unquote(parts[3])) if len(parts) > 4 and parts[3] else None
    server = named if named is not None else account.server("")
    if server is None or server.address is None or server.plan is None or not server.plan.guarded:
        return None
    return Visit(account, server)


async def find_own_visit(request: HubRequest, server_id: int) -> Visit | None:
    """The server of this id, if it runs and has a host of its own."""
    server = await request.hub.servers.find_by_id(server_id)
    account = await request.hub.views.find_account(server.key.user) if server is not None else None
    found = account.server(server.key.name) if account is not None and server is not None else None
    if account is None or found is None or found.address is None or found.plan is None:
        return None
    own = own_origin(found, request.hub.urls)
    return Visit(account, found, own) if own is not None and found.plan.guarded else None


def address_of(request: HubRequest, visit: Visit) -> str:
    """The address of the app, as its visitors know it."""
    urls = request.hub.urls
    return full_url(visit.server, urls) or f"{request.origin}{urls.server(*visit.server.key)}"


def pass_name(request: HubRequest, visit: Visit) -> str:
    """The name of the cookie that holds passes to the app."""
    apps = request.hub.urls.apps if visit.own is not None else None
    return f"{apps.cookie_prefix if apps is not None else ''}{cookies.PASS}"


async def new_pass(request: HubRequest, visit: Visit, actor: Actor) -> Cookie:
    """A new pass for somebody who may visit."""
    hub, key = request.hub, visit.server.key
    by = replace(request.by, actor=actor.label)  # whom a pass vouches for, the request itself does not say
    token = await hub.passes.give(actor, by, visit.server, address_of(request, visit))
    return Cookie(
        key=pass_name(request, visit),
        value=token,
        path="/" if visit.own is not None else hub.urls.server(*key),
        # It outlives the pass in it: an expired pass is what a new one is asked for with.
        expires=_seconds(actor.expires),
        httponly=True,
        secure=request.secure,
        samesite="lax",
    )


def _seconds(end: datetime | None) -> int | None:
    return None if end is None else max(0, int((end - clock.now()).total_seconds()))


def hub_token(request: HubRequest) -> str | None:
    """The token of the `Authorization` header, if it could be one of ours."""
    match = TOKEN.fullmatch(request.headers.get("authorization", "").strip())
    return match[1] if match else None


def passes_of(request: HubRequest, visit: Visit) -> list[str]:
    """All passes that the browser sent: those of a server below another's path come together."""
    return cookies_named(request, pass_name(request, visit))[:5]


def cookies_named(request: HubRequest, wanted: str) -> list[str]:
    """The values of all cookies of that name."""
    return [value for name, value in _cookies(request) if name == wanted]


def other_cookies(request: HubRequest) -> str:
    """The cookies that are the app's business."""
    return "; ".join(f"{name}={value}" for name, value in _cookies(request) if name not in cookies.OURS)


def _cookies(request: HubRequest) -> list[tuple[str, str]]:
    found = []
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name:
            found.append((name, value))
    return found
