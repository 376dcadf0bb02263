"""Sign in and out."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Response, get, post
from msgspec.structs import replace

from apphub.audit import By
from apphub.errors import Forbidden
from apphub.kit import metrics
from apphub.login.actions import SignInFailed, TooManyFailures
from apphub.pages.addressed import asked
from apphub.pages.answers import language, redirect, show, signed_in, signed_out
from apphub.pages.contexts import Message, SignIn
from apphub.pages.locale import gettext
from apphub.web.credentials import check_xsrf
from apphub.web.errors import headers_of
from apphub.web.needs import public
from apphub.web.request import HubRequest
from apphub.web.xsrf import Forged

_WHY = "whoever is not signed in must be able to"
#: Flag in the query of the sign-in page: somebody has just signed out with the button of our pages. Apps that
#: send people to sign out get the bare address, as JupyterHub's do.
LEFT = "signed-out"


def landing(request: HubRequest) -> str:
    """Where people go who want to go nowhere else."""
    return f"{request.hub.urls.hub}{request.hub.settings.landing}"


def goal(request: HubRequest) -> str:
    """Where to go after signing in: `next` if it stays on this host, else home, with the rest of the query."""
    if wanted := asked(request):
        return wanted
    rest = [(key, value) for key, value in request.query_params.multi_items() if key not in ("next", LEFT)]
    return landing(request) + (f"?{urlencode(rest)}" if rest else "")


@get("/hub/login", guards=[public(_WHY)])
async def ask(request: HubRequest) -> Response[bytes]:
    """The sign-in page; whoever is signed in is sent on."""
    if request.caller is not None and request.caller.kind == "user":
        return redirect(goal(request))
    left = LEFT in request.query_params
    goodbye = (Message(gettext(language(request), "You are signed out."), "good"),) if left else ()
    return show(request, _form(request), messages=goodbye)


def _form(request: HubRequest, name: str = "", why: str = "") -> SignIn:
    login, hint = request.hub.settings.login, request.hub.settings.pages.sign_in_hint
    return SignIn(
        next=asked(request),
        username=name,
        error=why,
        hint=hint,
        shared=login.shared_password is not None and not login.password.enabled,
        closed=login.shared_password is None and not login.password.enabled,
    )


@post("/hub/login", guards=[public(_WHY)])
async def sign_in(request: HubRequest) -> Response[bytes]:
    """Check name and password."""
    fields, tongue = await request.form_fields(), language(request)
    try:
        check_xsrf(request, fields.get("_xsrf", [""])[-1])
    except Forged:  # most often a page that was open for long; nothing of what it sent is used
        return _refused(request, 403, gettext(tongue, "This page was open for too long. Please try again."))
    name, password = fields.get("username", [""])[-1], fields.get("password", [""])[-1]
    by = By("anonymous", address=request.client_address, request_id=request.request_id)
    try:
        account = await request.hub.login.sign_in(name, password, by, "page")
    except SignInFailed:
        return _refused(request, 403, gettext(tongue, "Invalid username or password"), name)
    except TooManyFailures as error:
        why = gettext(tongue, "Too many failed sign-ins. Wait a while, then try again.")
        refused = _refused(request, 429, why, name)
        refused.headers.update(headers_of(error))
        return refused
    person = await request.hub.people.person(account)
    session = await request.hub.access.start_session(
        replace(by, actor=person.label),
        person.id,
        request.hub.settings.login.session_life,
        agent=request.headers.get("user-agent", ""),
        address=request.client_address or "",
    )
    return signed_in(request, redirect(goal(request)), session.secret, session.public_id)


def _refused(request: HubRequest, status: int, why: str, name: str = "") -> Response[bytes]:
    return show(request, _form(request, name[:255], why), status=status)


@get("/hub/logout", guards=[public("signing out needs no rights")])
async def sign_out_by_get(request: HubRequest) -> Response[bytes]:
    """Sign out, as apps of JupyterHub ask for it; a page of another site may not."""
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden(gettext(language(request), "This request came from a page of another site."))
    return await _sign_out(request, "login")


@post("/hub/logout", guards=[public("signing out needs no rights")])
async def sign_out(request: HubRequest) -> Response[bytes]:
    """Sign out: the session and every app token that it granted end."""
    if request.caller is not None:
        check_xsrf(request, (await request.form_fields()).get("_xsrf", [""])[-1])
    return await _sign_out(request, f"login?{LEFT}=1")


async def _sign_out(request: HubRequest, page: str) -> Response[bytes]:
    caller = request.caller
    if caller is not None and caller.by_cookie and caller.session_id is not None:
        with metrics.timed(metrics.LOGOUTS):
            await request.hub.access.end_session(request.by, caller.session_id)
    return signed_out(request, redirect(f"{request.hub.urls.hub}{page}"))


ROUTES = [ask, sign_in, sign_out_by_get, sign_out]
