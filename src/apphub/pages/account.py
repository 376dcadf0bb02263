"""My account: where I am signed in, and my password."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.errors import Forbidden, Invalid
from apphub.login.actions import SignInFailed, TooManyFailures
from apphub.pages.answers import language, redirect, show, signed_in
from apphub.pages.contexts import Message
from apphub.pages.details import NewPassword, SignInRow, SignIns
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.said import say
from apphub.web.errors import headers_of
from apphub.web.needs import visitor
from apphub.web.request import HubRequest

#: Flag in the query: the password was just changed.
CHANGED = "changed"
_LIST = "sign-ins"


@get("/hub/sign-ins", guards=[visitor()])
async def sign_ins(request: HubRequest) -> Response[bytes]:
    """Where I am signed in."""
    actor, tongue = request.actor, language(request)
    rows = [
        SignInRow(
            id=one.public_id[:8],
            created=one.created,
            expires=one.expires,
            agent=browser_words(one.agent),
            address=one.address,
            current=one.id == actor.session_id,
        )
        for one in await request.hub.access.sessions_of(actor.name)
    ]
    rows.sort(key=lambda row: not row.current)
    done = gettext(tongue, "Your password is changed, and you are signed out everywhere else.")
    messages = (Message(done, "good"),) if CHANGED in request.query_params else ()
    page = SignIns(rows=rows, password=await _has_password(request))
    return show(request, page, messages=messages)


@post("/hub/sign-ins/end", guards=[visitor()])
async def end(request: HubRequest) -> Response[bytes]:
    """End one of my sign-ins, and what it opened."""
    form, actor = await Form.of(request), request.actor
    for one in await request.hub.access.sessions_of(actor.name):
        if one.public_id[:8] == form.text("id"):
            await request.hub.access.end_session(request.by, one.id)
    return redirect(f"{request.hub.urls.hub}{_LIST}")


@post("/hub/sign-ins/end-others", guards=[visitor()])
async def end_others(request: HubRequest) -> Response[bytes]:
    """End every sign-in of mine but this one."""
    await Form.of(request)
    actor = request.actor
    for one in await request.hub.access.sessions_of(actor.name):
        if one.id != actor.session_id:
            await request.hub.access.end_session(request.by, one.id)
    return redirect(f"{request.hub.urls.hub}{_LIST}")


@get("/hub/password", guards=[visitor()])
async def ask(request: HubRequest) -> Response[bytes]:
    """The form for a new password."""
    return show(request, await _page(request))


@post("/hub/password", guards=[visitor()])
async def change(request: HubRequest) -> Response[bytes]:
    """Change it: every other sign-in ends, and API tokens only where that is asked for."""
    form, hub, tongue, actor = await Form.of(request), request.hub, language(request), request.actor
    if not await _has_password(request):
        raise Forbidden(gettext(tongue, "You sign in without a password of your own."))
    old, new = form.secret("old"), form.secret("new")
    try:
        if new != form.secret("again"):
            raise Invalid(gettext(tongue, "The two new passwords are not the same."))
        await hub.login.change_password(request.by, actor.name, old, new)
    except SignInFailed:
        why = gettext(tongue, "This is not your present password.")
        return show(request, await _page(request, error=why), status=403)
    except TooManyFailures as error:
        why = gettext(tongue, "Too many failed sign-ins. Wait a while, then try again.")
        refused = show(request, await _page(request, error=why), status=429)
        refused.headers.update(headers_of(error))
        return refused
    except Invalid as error:
        return show(request, await _page(request, error=say(tongue, str(error))), status=400)
    if form.text("tokens") == "revoke":
        for token in await hub.access.tokens_of(actor.name):
            if token.client is None and token.server is None:
                await hub.access.revoke_token(request.by, actor.name, token.wire_id)
    assert actor.user_id is not None
    session = await hub.access.start_session(
        request.by,
        actor.user_id,
        hub.settings.login.session_life,
        agent=request.headers.get("user-agent", ""),
        address=request.client_address or "",
    )
    return signed_in(
        request, redirect(f"{hub.urls.hub}{_LIST}?{CHANGED}=1"), session.secret, session.public_id
    )


async def _page(request: HubRequest, *, error: str = "") -> NewPassword:
    tokens = await request.hub.access.tokens_of(request.actor.name)
    return NewPassword(
        minimum=request.hub.settings.login.password.minimum_length,
        error=error,
        tokens=sum(token.client is None and token.server is None for token in tokens),
    )


async def _has_password(request: HubRequest) -> bool:
    enabled = request.hub.settings.login.password.enabled
    return enabled and await request.hub.login.has_password(request.actor.name)


#: What a User-Agent header holds, and what people call it; the first that is found counts.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_words(agent: str) -> str:
    """Browser and system of a User-Agent header, as far as known; else its beginning."""
    known = [next((words for mark, words in table if mark in agent), "") for table in (_BROWSERS, _SYSTEMS)]
    return " · ".join(filter(None, known)) or agent.partition(" ")[0][:60]


ROUTES = [sign_ins, end, end_others, ask, change]
