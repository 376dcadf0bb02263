"""How a page is sent: its frame, its cookies, its headers."""

from __future__ import annotations

from functools import cache

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType

from apphub.kit import cookies
from apphub.pages.contexts import Message, Page, Shell
from apphub.pages.render import Renderer, negotiate
from apphub.pages.sections import sections_of
from apphub.settings import Look
from apphub.web import xsrf
from apphub.web.credentials import xsrf_cookie
from apphub.web.reply import POLICY
from apphub.web.request import HubRequest

#: Life of the value for somebody who has not signed in (seconds).
ANONYMOUS = 3600

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'{extra}; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def renderer(base: str, look: Look | None = None) -> Renderer:
    """The renderer of a hub at this base path, whose pages have this look."""
    return Renderer(base, look=look)


def language(request: HubRequest) -> str:
    """The language to answer in."""
    return negotiate(request.headers.get("accept-language", ""), request.hub.settings.language)


def show(
    request: HubRequest,
    page: Page,
    *,
    status: int = 200,
    messages: tuple[Message, ...] = (),
    form_to: str = "",
) -> Response[bytes]:
    """A page; `form_to` is an origin that its form may send people on to."""
    caller = request.caller
    user = caller if caller is not None and caller.kind == "user" else None
    value, fresh = _xsrf(request, (user.session_public_id or "") if user is not None else "")
    shell = Shell(
        user=user.name if user is not None else "",
        xsrf=value,
        admin=user is not None and bool(sections_of(user)),
        announcement=request.hub.settings.announcement,
        messages=messages,
    )
    body = renderer(request.hub.urls.base, request.hub.settings.pages).page(
        page, shell, language=language(request)
    )
    response = Response(body, status_code=status, media_type=MediaType.HTML)
    # Two policies: browsers enforce both. The first is the one that JupyterHub's tools look for.
    report = f"frame-ancestors 'none'; report-uri {request.hub.urls.hub}security/csp-report"
    response.headers["content-security-policy"] = report
    response.headers["cache-control"] = "no-store"
    apps = request.hub.urls.apps
    # Browsers hold also what a form leads to in the end against this: an app's own host.
    extra = "".join(f" {origin}" for origin in (form_to, apps.all_origins if apps else "") if origin)
    response.headers[POLICY] = _POLICY.format(extra=extra)
    if fresh:
        response.cookies.append(
            _cookie(request, cookies.XSRF, value, max_age=None if user else ANONYMOUS, http=False)
        )
    return response


def redirect(location: str, status: int = 302) -> Response[bytes]:
    """Send the browser on. Only ever to paths of ours, or addresses that were checked."""
    return Response(
        b"",
        status_code=status,
        headers={"location": location, "cache-control": "no-store"},
        media_type=MediaType.TEXT,
    )


def signed_in(request: HubRequest, response: Response[bytes], secret: str, public_id: str) -> Response[bytes]:
    """Set the cookies of a sign-in."""
    life = int(request.hub.settings.login.session_life.total_seconds())
    response.cookies += [
        _cookie(request, cookies.LOGIN, secret, expires=life),
        _session_cookie(request, public_id),
        _cookie(request, cookies.XSRF, xsrf.mint(request.hub.keys, public_id), http=False),
    ]
    return response


def signed_out(request: HubRequest, response: Response[bytes]) -> Response[bytes]:
    """Delete the cookies of a sign-in."""
    ended = [_cookie(request, name, "") for name in (cookies.LOGIN, cookies.XSRF)]
    for cookie in (*ended, _session_cookie(request, "")):
        cookie.expires = cookie.max_age = 0
        cookie.httponly = False  # as JupyterHub deletes them: there is nothing in them to keep
        response.cookies.append(cookie)
    return response


def _session_cookie(request: HubRequest, public_id: str) -> Cookie:
    """What apps look for by this very name; it proves nothing to us."""
    cookie = _cookie(request, cookies.SESSION, public_id)
    cookie.key, cookie.path = cookies.SESSION, request.hub.urls.base
    return cookie


def _xsrf(request: HubRequest, session: str) -> tuple[str, bool]:
    """The value for forms, and whether the browser must be told of it.

    Where nobody looked who asks (an address without a route, such as the /favicon.ico that browsers
    ask for beside every app) it is left alone: a value for nobody would spoil the forms of all pages
    that somebody has open.
    """
    value = xsrf_cookie(request)
    if value and xsrf.fits(request.hub.keys, session, value):
        return value, False
    if "apphub.actor" not in request.scope:
        return "", False
    return xsrf.mint(request.hub.keys, session), True


def _cookie(
    request: HubRequest,
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    expires: int | None = None,
    http: bool = True,
) -> Cookie:
    return Cookie(
        key=f"{request.hub.urls.cookie_prefix}{name}",
        value=value,
        path=request.hub.urls.cookie_path,
        max_age=max_age,
        expires=expires,
        httponly=http,
        secure=request.secure,
        samesite=None,  # type: ignore[arg-type]
    )
