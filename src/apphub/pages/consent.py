"""The authorisation endpoint of the OAuth 2 provider (RFC 6749, section 3.1): where people allow apps."""

from __future__ import annotations

from typing import NotRequired, TypedDict
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri
from litestar import Response, get, post

from apphub.access.scopes import IDENTIFY
from apphub.errors import Unauthenticated
from apphub.oauth.actions import Authorization, Refused, access_scope
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import Consent, ScopeLine
from apphub.pages.forms import Form
from apphub.pages.said import scope_words
from apphub.web.needs import public
from apphub.web.request import HubRequest
from apphub.web.says import FORM, HTML, Query, says

_PATH = "/hub/api/oauth2/authorize"
_WHY = "who is not signed in is sent to do so; the rest is checked for the app asked for"
_ANSWERS = {200: HTML, 302: None, 400: HTML, 403: HTML, 408: HTML, 413: HTML}
_QUERY = (
    Query("client_id", str, "The app."),
    Query("redirect_uri", str, "An address of the app; its only one, when nothing is said."),
    Query("response_type", str, "`code`: a code, which the app trades for a token."),
    Query("scope", str, "What the app asks for, separated by spaces."),
    Query("state", str, "Handed back to the app as it is."),
    Query("code_challenge", str, "Binds the code to who asked (RFC 7636)."),
    Query("code_challenge_method", str, "How the challenge was made: `S256`."),
)


class Allow(TypedDict):
    """The form of the consent page."""

    scopes: NotRequired[list[str]]
    _xsrf: str


@get(_PATH, guards=[public(_WHY)], opt=says(_ANSWERS, query=_QUERY))
async def authorize(request: HubRequest) -> Response[bytes]:
    """Send the visitor back with a code, asking first where that must be."""
    try:
        authorization = await _check(request)
    except Refused as refusal:
        return redirect(refusal.location)
    if not authorization.confirm:
        return redirect(await request.hub.oauth.grant(authorization, request.actor, request.by))
    target = urlsplit(authorization.redirect_uri)
    origin = f"{target.scheme}://{target.netloc}" if target.netloc else ""
    return show(request, consent_page(request, authorization), form_to=origin)


@post(_PATH, guards=[public(_WHY)], opt=says(_ANSWERS, takes=Allow, media=FORM, query=_QUERY))
async def allow(request: HubRequest) -> Response[bytes]:
    """The visitor allows it."""
    form = await Form.of(request)
    try:
        authorization = await _check(request, chosen=form.texts("scopes"))
    except Refused as refusal:
        return redirect(refusal.location)
    return redirect(await request.hub.oauth.grant(authorization, request.actor, request.by))


async def _check(request: HubRequest, *, chosen: list[str] | None = None) -> Authorization:
    actor = request.actor
    if actor.kind != "user" or not actor.by_cookie:
        raise Unauthenticated("Missing or invalid credentials.")
    params = dict(request.query_params.multi_items())
    return await request.hub.oauth.check(params, actor, request.origin, chosen=chosen)


def consent_page(request: HubRequest, authorization: Authorization) -> Consent:
    """What the visitor is asked."""
    client = authorization.client
    implied = {*IDENTIFY, access_scope(client)}
    denied = [("error", "access_denied")]
    if authorization.state is not None:
        denied.append(("state", authorization.state))
    query = request.scope["query_string"].decode("latin-1")
    host = urlsplit(authorization.redirect_uri).netloc
    return Consent(
        action=f"{request.hub.urls.base.rstrip('/')}{_PATH}?{query}",
        app=client.description,
        destination="" if not host or request.origin.endswith(f"//{host}") else host,
        scopes=[
            ScopeLine(scope=scope, description=scope_words(language(request), scope), required=False)
            for scope in authorization.scopes
            if scope not in implied
        ],
        cancel_url=str(add_params_to_uri(authorization.redirect_uri, denied)),
    )


ROUTES = [authorize, allow]
