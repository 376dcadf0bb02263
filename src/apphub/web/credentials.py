"""Find out who asks: by the `Authorization` header, or by the cookie of a sign-in."""

from __future__ import annotations

import re
from typing import Any

from apphub.access.actor import Actor
from apphub.kit import cookies
from apphub.web import xsrf
from apphub.web.request import HubRequest

TOKEN = re.compile(r"(?:token|bearer)[ \t]+(\S+)[ \t]*", re.IGNORECASE)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def find_actor(request: HubRequest) -> Actor | None:
    """Who asks, or None. A credential in the header counts alone: no cookie stands in for a bad one."""
    scope: Any = request.scope
    if "apphub.actor" not in scope:
        scope["apphub.actor"] = await _find(request)
    return request.caller


async def _find(request: HubRequest) -> Actor | None:
    header = request.header(b"authorization")
    if header is not None and (match := TOKEN.fullmatch(header.strip())):
        return await request.hub.access.by_token(match[1])
    if header is not None and header.lower().startswith(("token", "bearer")):
        return None
    cookie = request.cookies.get(f"{request.hub.urls.cookie_prefix}{cookies.LOGIN}")
    return await request.hub.access.by_session(cookie) if cookie else None


def xsrf_cookie(request: HubRequest) -> str | None:
    """The visitor's value, as their browser keeps it."""
    return request.cookies.get(f"{request.hub.urls.cookie_prefix}{cookies.XSRF}")


def check_xsrf(request: HubRequest, given: str | None) -> None:
    """Raise `Forged` unless an unsafe request comes from our own page and carries the visitor's value."""
    session = request.caller.session_public_id if request.caller is not None else None
    xsrf.check_origin(request.headers.get("origin"), request.headers.get("sec-fetch-site"), request.origins)
    xsrf.check(request.hub.keys, session or "", xsrf_cookie(request), given)


def check_api_xsrf(request: HubRequest) -> None:
    """The rule for requests to the API that a cookie proves.

    Reading needs nothing, except for scripts of other sites; changing needs the value, and a
    body that no form can send.
    """
    given = request.headers.get(xsrf.HEADER) or request.query_params.get(cookies.XSRF)
    if request.method in _SAFE:
        site, mode = request.headers.get("sec-fetch-site"), request.headers.get("sec-fetch-mode")
        if mode not in (None, "navigate") and site not in (None, "same-origin", "none"):
            check_xsrf(request, given)
        return
    check_xsrf(request, given)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise xsrf.Forged("The body of a request by cookie must be application/json.")
