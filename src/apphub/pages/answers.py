"""How a page is sent: its frame, its cookies, its headers."""

from __future__ import annotations

from functools import cache

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType

from apphub.pages.contexts import Message, Page, Shell
from apphub.pages.render import Renderer, negotiate
from apphub.web import xsrf
from apphub.web.credentials import LOGIN_COOKIE, SESSION_COOKIE
from apphub.web.front import POLICY
from apphub.web.request import HubRequest

#: Life of the value for somebody who has not signed in (seconds).
ANONYMOUS = 3600

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'{extra}; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def renderer(base: str) -> Renderer:
    """The renderer of a hub at this base path."""
    return Renderer(base)


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
        admin=user is not None and user.holds("admin-ui"),
        announcement=request.hub.settings.announcement,
        messages=messages,
    )
    body = renderer(request.hub.urls.base).page(page, shell, language=language(request))
    response = Response(body, status_code=status, media_type=MediaType.HTML)
    # Two policies: browsers enforce both. The first is the one that JupyterHub's tools look for.
    report = f"frame-ancestors 'none'; report-uri {request.hub.urls.hub}security/csp-report"
    response.headers["content-security-policy"] = report
    response.headers["cache-control"] = "no-store"
    extra = f" {form_to}" if form_to else ""
    response.headers[POLICY] = _POLICY.format(extra=extra)
    if fresh:
        response.cookies.append(
            _cookie(request, xsrf.COOKIE, value, max_age=None if user else ANONYMOUS, http=False)
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
    base = request.hub.urls.base
    response.cookies += [
        _cookie(request, LOGIN_COOKIE, secret, expires=life),
        _cookie(request, SESSION_COOKIE, public_id, path=base),
        _cookie(request, xsrf.COOKIE, xsrf.mint(request.hub.keys, public_id), http=False),
    ]
    return response


def signed_out(request: HubRequest, response: Response[bytes]) -> Response[bytes]:
    """Delete the cookies of a sign-in."""
    hub, base = request.hub.urls.hub, request.hub.urls.base
    for name, path in ((LOGIN_COOKIE, hub), (xsrf.COOKIE, hub), (SESSION_COOKIE, base)):
        response.cookies.append(Cookie(key=name, path=path, expires=0, max_age=0, samesite=None))  # type: ignore[arg-type]
    return response


def _xsrf(request: HubRequest, session: str) -> tuple[str, bool]:
    """The value for forms, and whether the browser must be told of it.

    Where nobody looked who asks (an address without a route, such as the /favicon.ico that browsers
    ask for beside every app) it is left alone: a value for nobody would spoil the forms of all pages
    that somebody has open.
    """
    value = request.cookies.get(xsrf.COOKIE)
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
    path: str | None = None,
    http: bool = True,
) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        path=path or request.hub.urls.hub,
        max_age=max_age,
        expires=expires,
        httponly=http,
        secure=request.secure,
        samesite=None,  # type: ignore[arg-type]
    )
