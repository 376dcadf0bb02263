"""My tokens, and the apps that have access in my name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from litestar import Response, get, post

from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.access.model import Token
from apphub.errors import Invalid
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import ScopeLine
from apphub.pages.details import AppRow, TokenRow, Tokens
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.said import scope_words
from apphub.web.needs import visitor
from apphub.web.request import HubRequest

LIVES = (timedelta(days=1), timedelta(days=30), timedelta(days=90), timedelta(days=365), None)
USUAL = timedelta(days=30)
TICKABLE = ("read:users", "servers", "read:servers", "start:servers", "access:servers", "shares", "tokens")


@get("/hub/token", guards=[visitor()])
async def tokens(request: HubRequest) -> Response[bytes]:
    """The page of tokens."""
    return show(request, await _page(request))


@post("/hub/token", guards=[visitor()])
async def create(request: HubRequest) -> Response[bytes]:
    """Make a token, shown in this answer and never again."""
    form, actor, tongue = await Form.of(request), request.actor, language(request)
    limited = form.text("may") == "some"
    scopes = [*form.texts("scope"), *form.text("scopes").split()] if limited else []
    asked = form.text("expires_in")
    life = timedelta(seconds=int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
    try:
        if limited and not scopes:
            raise Invalid(gettext(tongue, "Choose what it may do, or let it do all that you may."))
        if life is not None and not life:
            raise Invalid(gettext(tongue, "A token lives longer than that."))
        made = await request.hub.access.create_token(
            actor,
            request.by,
            actor.name,
            scopes=scopes or None,
            note=form.text("note")[:200] or gettext(tongue, "Made on the page of tokens"),
            life=life,
        )
    except Invalid as error:
        page = await _page(
            request,
            error=str(error),
            note=form.text("note"),
            scopes=form.text("scopes"),
            limited=limited,
            chosen=form.texts("scope"),
        )
        return show(request, page, status=400)
    return show(request, await _page(request, new_token=made.secret))


@post("/hub/token/revoke", guards=[visitor()])
async def revoke(request: HubRequest) -> Response[bytes]:
    """Revoke one token."""
    form = await Form.of(request)
    await request.hub.access.revoke_token(request.by, request.actor.name, form.text("id"))
    return redirect(f"{request.hub.urls.hub}token")


@post("/hub/token/revoke-app", guards=[visitor()])
async def revoke_app(request: HubRequest) -> Response[bytes]:
    """Take an app's access back: all its tokens of mine."""
    form, name = await Form.of(request), request.actor.name
    for token in await request.hub.access.tokens_of(name):
        if token.client is not None and token.client == form.text("client_id"):
            await request.hub.access.revoke_token(request.by, name, token.wire_id)
    return redirect(f"{request.hub.urls.hub}token")


def offered(actor: Actor) -> list[str]:
    """What a token can be limited to by ticking: what people do with what is theirs, as far as this one may."""
    target = Target(user=actor.name)
    return [f"{scope}!user" for scope in TICKABLE if actor.may(scope, target)]


def lives_up_to(maximum: timedelta | None) -> tuple[timedelta | None, ...]:
    """What is offered where no token may live longer than this."""
    if maximum is None:
        return LIVES
    return (*(life for life in LIVES if life is not None and life < maximum), maximum)


async def _page(
    request: HubRequest,
    *,
    new_token: str = "",
    error: str = "",
    note: str = "",
    scopes: str = "",
    limited: bool = False,
    chosen: Sequence[str] = (),
) -> Tokens:
    tongue = language(request)
    lives = lives_up_to(request.hub.settings.tokens.maximum_life)
    mine = await request.hub.access.tokens_of(request.actor.name)
    return Tokens(
        new_token=new_token,
        note=note,
        scopes=scopes,
        limited=limited,
        offered=[
            ScopeLine(scope=scope, description=scope_words(tongue, scope), required=scope in chosen)
            for scope in offered(request.actor)
        ],
        lives=lives,
        chosen_life=USUAL if USUAL in lives else lives[-1],
        error=error,
        tokens=[
            TokenRow(
                id=token.wire_id,
                note=token.note,
                may=[scope_words(tongue, scope) for scope in token.scopes],
                created=token.created,
                last_used=token.last_used,
                expires=token.expires,
            )
            for token in mine
            if token.client is None and token.server is None
        ],
        apps=_apps(mine),
    )


def _apps(tokens: list[Token]) -> list[AppRow]:
    by_app: defaultdict[str, list[Token]] = defaultdict(list)
    for token in tokens:
        if token.client is not None:
            by_app[token.client].append(token)
    return [
        AppRow(
            client_id=name,
            name=name,
            created=min(token.created for token in held),
            last_used=max((token.last_used for token in held if token.last_used), default=None),
            tokens=len(held),
        )
        for name, held in sorted(by_app.items())
    ]


ROUTES = [tokens, create, revoke, revoke_app]
