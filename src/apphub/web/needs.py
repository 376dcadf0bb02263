"""What a route takes: stated in its signature, checked before its handler runs.

Every route has exactly one of `needs(...)`, `needs_list(...)`, `manages(...)`, `signed_in()`, `visitor()` or `public()`
among its guards; a test walks all routes and fails on one that has none. The path says what
is reached for (`user`, `server`, `group`, `service`), so that filters of scopes apply by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from apphub.access.actor import Actor, ScopeMissing
from apphub.access.grants import Target
from apphub.errors import Unauthenticated
from apphub.web.credentials import check_api_xsrf, find_actor
from apphub.web.request import HubRequest, ZeroCharacter

Connection = ASGIConnection[Any, Any, Any, Any]


class Need:
    """Base of all guards that state what a route takes."""

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        request: Any = connection
        if b"%00" in request.scope["query_string"]:
            raise ZeroCharacter
        await self.check(request)

    async def check(self, request: HubRequest) -> None:
        """Raise unless the caller has it."""
        raise NotImplementedError

    async def actor(self, request: HubRequest) -> Actor:
        """The caller, who must be known, and whose browser must not have been tricked."""
        actor = await find_actor(request)
        if actor is None:
            raise Unauthenticated("Missing or invalid credentials.")
        if actor.by_cookie and request.scope["path"].startswith("/hub/api/"):
            check_api_xsrf(request)
        return actor


class public(Need):  # noqa: N801 - reads as a word in a route
    """Anybody may, known or not; `why` says why that is right."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def check(self, request: HubRequest) -> None:
        await find_actor(request)


class signed_in(Need):  # noqa: N801
    """Anybody known may: what is answered is about the caller alone."""

    async def check(self, request: HubRequest) -> None:
        await self.actor(request)


class visitor(Need):  # noqa: N801
    """Somebody who has signed in with a browser: pages are for people, not for tokens."""

    async def check(self, request: HubRequest) -> None:
        actor = await self.actor(request)
        if actor.kind != "user" or not actor.by_cookie:
            raise Unauthenticated("Sign in with your browser.")


class needs(Need):  # noqa: N801
    """One of these scopes, for what the path names; with `everywhere`, without any filter.

    With `of_server` a path that names a user and no server is about the user's default one.
    """

    def __init__(self, *scopes: str, everywhere: bool = False, of_server: bool = False) -> None:
        self.scopes = scopes
        self.everywhere = everywhere
        self.of_server = of_server

    async def check(self, request: HubRequest) -> None:
        actor = await self.actor(request)
        if self.everywhere:
            actor.demand_unfiltered(self.scopes[0])
            return
        if not actor.everywhere(self.scopes):
            target = await target_of(request, actor, self.scopes, of_server=self.of_server)
            actor.demand(target, *self.scopes)


class needs_list(Need):  # noqa: N801
    """This scope somewhere: the handler narrows the list to its reach."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def check(self, request: HubRequest) -> None:
        actor = await self.actor(request)
        if not actor.holds(self.scope):
            raise ScopeMissing(self.scope)
        kinds = {narrowing.kind for clause in actor.reach(self.scope).clauses for narrowing in clause}
        if kinds == {"server"}:
            raise ScopeMissing(self.scope)  # no list is narrowed by servers


class manages(Need):  # noqa: N801
    """This scope for more than what is the caller's own: for pages that show what belongs to others."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def check(self, request: HubRequest) -> None:
        actor = await self.actor(request)
        if not beyond_own(actor, self.scope):
            raise ScopeMissing(self.scope)


def beyond_own(actor: Actor, scope: str) -> bool:
    """Whether a scope reaches more than its holder and single servers, so that there is a list to show."""
    return actor.holds(scope) and all(
        any(
            one.kind in ("group", "service") or (one.kind == "user" and one.value != actor.name)
            for one in clause
        )
        for clause in actor.reach(scope).clauses
    )


async def target_of(
    request: HubRequest, actor: Actor, scopes: tuple[str, ...], *, of_server: bool = False
) -> Target:
    """What the path names. The user's groups are looked up only when a filter asks for them."""
    params = request.path_params
    user = request.segment("user") if "user" in params else None
    server = None
    of_server = of_server or "server" in params or "/server" in request.scope["path_template"]
    if user is not None and of_server:
        name = request.segment("server") if "server" in params else ""
        server = f"{user}/{name}"
    groups: frozenset[str] = frozenset()
    if user is not None and _asks_for_groups(actor, scopes):
        account = await request.hub.views.find_account(user)
        groups = frozenset(account.person.groups) if account is not None else groups
    return Target(
        user=user,
        groups=groups,
        server=server,
        group=request.segment("group") if "group" in params else None,
        service=request.segment("service") if "service" in params else None,
    )


def _asks_for_groups(actor: Actor, scopes: tuple[str, ...]) -> bool:
    return actor.once(
        ("groups", scopes),
        lambda: any(
            narrowing.kind == "group"
            for scope in scopes
            for clause in actor.reach(scope).clauses
            for narrowing in clause
        ),
    )


Guards = list[Callable[..., Any]]
