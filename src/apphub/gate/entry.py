"""The way to an app on a host of its own, where no cookie of the hub is sent.

The edge's answer to a visitor without a pass leaves a *nonce* in their browser, at the app's
host, and leads to the hub; the hub finds out who they are and leads back to one path of that host,
which is the hub's, with a short-lived code. The code is for one server and one nonce: who gets hold
of it cannot use it, and nobody can be let in as somebody else by an address that was sent to them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import quote, urlencode

from litestar import Response, get
from litestar.datastructures import Cookie
from litestar.enums import MediaType

from apphub.errors import Forbidden, NotFound
from apphub.gate.visits import admitted, cookies_named, find_own_visit, new_pass
from apphub.kit import clock, cookies
from apphub.kit.apphosts import AppHosts
from apphub.kit.urls import local_path
from apphub.passes.actions import audience
from apphub.passes.tokens import Entry
from apphub.web.needs import public
from apphub.web.request import HubRequest

#: How long (seconds) signing in may take before the way in has to be begun again.
NONCE_LIFE = 900
_NONCE = re.compile(r"[0-9a-f]{64}")


def to_hub(request: HubRequest, apps: AppHosts, path: str) -> tuple[str, Cookie]:
    """Where the hub asks a visitor of an app's own host who they are, and the nonce for their browser.

    One that the browser has already is kept: two tabs may be on their way.
    """
    found = [value for value in cookies_named(request, _nonce_name(apps)) if _NONCE.fullmatch(value)]
    nonce = found[0] if found else secrets.token_hex(32)
    goal = f"{apps.scheme}://{request.headers['host'].lower()}{path}"
    query = urlencode({"next": goal, "state": _hashed(nonce)}, quote_via=quote)
    hub = request.hub.urls
    return f"{hub.public_origin}{hub.hub}edge/login?{query}", _nonce_cookie(apps, nonce, NONCE_LIFE)


async def lead_in(request: HubRequest, server_id: int, path: str) -> str:
    """Where a visitor who has signed in is let in to an app's own host, to be led to `path` there."""
    actor = request.actor
    visit = admitted(await find_own_visit(request, server_id), actor)
    state = request.query_params.get("state", "")
    if not _NONCE.fullmatch(state):
        return f"{visit.own}{path}"  # it begins anew there
    assert actor.session_public_id is not None
    entry = Entry(audience(visit.server.id), actor.session_public_id, state)
    code = request.hub.passes.signer.entry(entry, clock.now())
    return f"{visit.own}/.apphub/enter?{urlencode({'code': code, 'next': path}, quote_via=quote)}"


@get("/hub/edge/enter", guards=[public("the code says who comes, and the nonce that it is their browser")])
async def enter(request: HubRequest) -> Response[bytes]:
    """Let a visitor in at the app's own host: the edge leads its one path of ours here."""
    apps = request.hub.urls.apps
    server_id = apps.server_id(request.headers.get("host", "")) if apps is not None else None
    visit = await find_own_visit(request, server_id) if server_id is not None else None
    if apps is None or visit is None:
        raise NotFound("There is no app at this address.", "It may have stopped; see your home page.")
    path = local_path(request.query_params.get("next")) or "/"
    entry = request.hub.passes.signer.read_entry(request.query_params.get("code", ""), clock.now())
    if entry is None or entry.audience != audience(visit.server.id) or not _is_ours(request, apps, entry):
        raise Forbidden(
            "This way into the app was made for another browser, or is over.",
            "Open the app again. If that does not help, allow cookies for it.",
        )
    actor = await request.hub.access.by_public_session(entry.session)
    admitted(visit, actor)
    assert actor is not None  # nothing is open to nobody
    headers = {"location": path, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    response = Response(b"", status_code=302, headers=headers, media_type=MediaType.TEXT)
    response.cookies += [await new_pass(request, visit, actor), _nonce_cookie(apps, "", 0)]
    return response


def _is_ours(request: HubRequest, apps: AppHosts, entry: Entry) -> bool:
    held = cookies_named(request, _nonce_name(apps))[:5]
    return any(secrets.compare_digest(_hashed(nonce), entry.state) for nonce in held)


def _hashed(nonce: str) -> str:
    return hashlib.sha256(nonce.encode("latin-1", "replace")).hexdigest()


def _nonce_name(apps: AppHosts) -> str:
    return f"{apps.cookie_prefix}{cookies.ENTRY}"


def _nonce_cookie(apps: AppHosts, nonce: str, life: int) -> Cookie:
    return Cookie(
        key=_nonce_name(apps),
        value=nonce,
        path="/",
        max_age=life,
        httponly=True,
        secure=apps.secure,
        samesite="lax",
    )


ROUTES = [enter]
