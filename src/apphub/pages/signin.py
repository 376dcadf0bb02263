"""Sign in and out."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Response, get, post

from apphub.audit import By
from apphub.errors import Forbidden, LimitReached
from apphub.kit.urls import local_path
from apphub.login.actions import SignInFailed
from apphub.pages.answers import redirect, show, signed_in, signed_out
from apphub.pages.contexts import SignIn
from apphub.web.credentials import check_xsrf
from apphub.web.needs import public
from apphub.web.request import HubRequest

_WHY = "whoever is not signed in must be able to"


def landing(request: HubRequest) -> str:
    """Where people go who want to go nowhere else."""
    return f"{request.hub.urls.hub}{request.hub.settings.landing}"


def goal(request: HubRequest) -> str:
    """Where to go after signing in: `next` if it stays on this host, else home, with the rest of the query."""
    asked = local_path(request.query_params.get("next"))
    if asked is not None:
        return asked
    rest = [(key, value) for key, value in request.query_params.multi_items() if key != "next"]
    return landing(request) + (f"?{urlencode(rest)}" if rest else "")


@get("/hub/login", guards=[public(_WHY)])
async def ask(request: HubRequest) -> Response[bytes]:
    """The sign-in page; whoever is signed in is sent on."""
    if request.caller is not None and request.caller.kind == "user":
        return redirect(goal(request))
    return show(request, SignIn(next=local_path(request.query_params.get("next")) or ""))


@post("/hub/login", guards=[public(_WHY)])
async def sign_in(request: HubRequest) -> Response[bytes]:
    """Check name and password."""
    fields = await request.form_fields()
    check_xsrf(request, fields.get("_xsrf", [""])[-1])
    name, password = fields.get("username", [""])[-1], fields.get("password", [""])[-1]
    by = By("anonymous", address=request.client_address, request_id=request.request_id)
    try:
        account = await request.hub.login.sign_in(name, password, by, "page")
    except (SignInFailed, LimitReached) as error:
        page = SignIn(
            next=local_path(request.query_params.get("next")) or "", username=name[:255], error=str(error)
        )
        refused = show(request, page, status=429 if isinstance(error, LimitReached) else 403)
        if isinstance(error, LimitReached):
            refused.headers["retry-after"] = str(max(1, round(error.retry_after.total_seconds())))
        return refused
    person = await request.hub.people.person(account)
    session = await request.hub.access.start_session(person.id, request.hub.settings.login.session_life)
    return signed_in(request, redirect(goal(request)), session.secret, session.public_id)


@get("/hub/logout", guards=[public("signing out needs no rights")])
async def sign_out_by_get(request: HubRequest) -> Response[bytes]:
    """Sign out, as apps of JupyterHub ask for it; a page of another site may not."""
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden("This request came from a page of another site.")
    return await _sign_out(request)


@post("/hub/logout", guards=[public("signing out needs no rights")])
async def sign_out(request: HubRequest) -> Response[bytes]:
    """Sign out: the session and every app token that it granted end."""
    if request.caller is not None:
        check_xsrf(request, (await request.form_fields()).get("_xsrf", [""])[-1])
    return await _sign_out(request)


async def _sign_out(request: HubRequest) -> Response[bytes]:
    caller = request.caller
    if caller is not None and caller.by_cookie and caller.session_id is not None:
        await request.hub.access.end_session(request.by, caller.session_id)
    return signed_out(request, redirect(f"{request.hub.urls.hub}login"))


ROUTES = [ask, sign_in, sign_out_by_get, sign_out]
