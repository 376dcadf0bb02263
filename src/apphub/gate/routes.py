"""What the edge asks, where it sends visitors to get a pass, and the keys that passes are checked with.

The edge asks only when a request has no pass that counts (see `proxy/envoy/guard.py`): 200
lets it through, with the headers of the answer added; anything else is told to the visitor.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from litestar import Response, get, post, route
from litestar.enums import HttpMethod, MediaType

from apphub.access.actor import Actor
from apphub.gate import entry
from apphub.gate.entry import lead_in, to_hub
from apphub.gate.visits import (
    Visit,
    address_of,
    admitted,
    find_own_visit,
    find_visit,
    hub_token,
    new_pass,
    other_cookies,
    passes_of,
)
from apphub.kit import clock
from apphub.kit.apphosts import AppHosts
from apphub.kit.urls import local_path
from apphub.passes.actions import server_of_audience
from apphub.passes.tokens import header_text
from apphub.reconcile.logs import MOST, WORD
from apphub.runtimes.base import Ref
from apphub.web.json import answer
from apphub.web.needs import public, visitor
from apphub.web.request import HubRequest

_CHECK = "/hub/edge/check"
_METHODS = [HttpMethod[name] for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")]
#: Removes a header of the visitor's request before the app sees it.
_REMOVE = "x-envoy-auth-headers-to-remove"
#: Names the sign-in to the edge, which ends what it has open when it may no longer visit.
_SESSION = "x-hub-session"
#: It has just ended: the edge, which asks for guarded apps alone, hears of it this moment.
_SOON = {"retry-after": "1"}
_SAY_WHO = {"www-authenticate": 'Bearer realm="apphub"'}


@route(
    [f"{_CHECK}/{{rest:path}}"],
    http_method=_METHODS,
    guards=[public("the edge asks on behalf of whoever comes; this is where that is decided")],
)
async def check(request: HubRequest) -> Response[bytes]:
    """May this request pass?"""
    path = _asked_path(request)
    apps = request.hub.urls.apps
    if apps is not None and apps.holds(request.headers.get("host", "")):
        return await _check_own(request, apps, path)
    path = path.removeprefix(request.hub.urls.base.rstrip("/"))
    visit = await find_visit(request, path)
    if visit is None:
        return _refuse(503, _SOON)
    if (known := await _known(request, visit)) is not None:
        return known
    if _navigates(request):
        goal = _with_query(request, f"{request.hub.urls.base.rstrip('/')}{path}")
        return _refuse(302, {"location": f"{request.hub.urls.hub}edge/login?next={quote(goal, safe='/')}"})
    return _refuse(401, _SAY_WHO)


async def _check_own(request: HubRequest, apps: AppHosts, path: str) -> Response[bytes]:
    """The same at an app's own host, where everything is the app's."""
    server_id = apps.server_id(request.headers.get("host", ""))
    visit = await find_own_visit(request, server_id) if server_id is not None else None
    if visit is None:
        return _refuse(503, _SOON)
    if (known := await _known(request, visit)) is not None:
        return known
    if _navigates(request):
        location, nonce = to_hub(request, apps, _with_query(request, path))
        response = _refuse(302, {"location": location})
        response.cookies.append(nonce)
        return response
    return _refuse(401, _SAY_WHO)


async def _known(request: HubRequest, visit: Visit) -> Response[bytes] | None:
    """The answer to somebody who says who they are; None for everybody else."""
    if (token := hub_token(request)) is not None:
        actor = await request.hub.access.by_token(token)
        if actor is not None:
            return await _by_token(request, visit, actor)
    for held in passes_of(request, visit):
        actor = await request.hub.passes.holder(held, visit.server)
        if actor is not None:
            return await _by_pass(request, visit, actor)
    return None


@post(
    "/hub/edge/used/{app:str}",
    guards=[public("only the edge can reach it, and it changes no right of anybody")],
    status_code=200,
)
async def note_use(request: HubRequest) -> Response[bytes]:
    """Somebody uses an app that the edge guards."""
    server_id = server_of_audience(request.path_params["app"])
    if server_id is not None:
        request.hub.usage.note(server_id)
    return Response(b"", media_type=MediaType.TEXT)


@get("/hub/edge/hubs", guards=[public("only edges of other machines reach it, by a door that knows them")])
async def hubs(request: HubRequest) -> Response[bytes]:
    """Which machines have hubs, and where; and whose open streams must end."""
    hub = request.hub
    ended = [[visitor.guard, visitor.session] for visitor in hub.plane.ended]
    return answer({"places": hub.replicas.places, "live": sorted(hub.replicas.live), "ended": sorted(ended)})


@get(
    "/hub/edge/output/{server:int}/{attempt:int}",
    guards=[public("a hub of another machine proves itself with a word that only hubs can derive")],
)
async def log(request: HubRequest) -> Response[bytes]:
    """What a server of this machine wrote."""
    ref = Ref(request.path_params["server"], request.path_params["attempt"])
    length = request.query_params.get("length", "")
    wanted = int(length) if length.isdecimal() and len(length) < 9 else MOST
    text = await request.hub.logs.answer(ref, request.headers.get(WORD, ""), wanted)
    return Response(text.encode(), media_type=MediaType.TEXT)


@get("/hub/edge/login", guards=[visitor()])
async def login(request: HubRequest) -> Response[bytes]:
    """Give a visitor who has signed in a pass, and send them back to the app."""
    asked = request.query_params.get("next")
    if (there := request.hub.urls.app_at(asked)) is not None:
        return redirect(await lead_in(request, *there))
    goal = local_path(asked)
    base = request.hub.urls.base.rstrip("/")
    path = urlsplit(goal or "").path.removeprefix(base)
    visit = admitted(await find_visit(request, path), request.actor)
    assert goal is not None  # without one there is no visit
    response = redirect(goal)
    response.cookies.append(await new_pass(request, visit, request.actor))
    return response


@get("/hub/.well-known/jwks.json", guards=[public("public keys are public")])
async def key_set(request: HubRequest) -> Response[bytes]:
    """The keys that apps check the identity of their visitors with (RFC 7517)."""
    response = answer(request.hub.passes.signer.key_set())
    response.headers["cache-control"] = "public, max-age=300"
    return response


def _asked_path(request: HubRequest) -> str:
    return request.scope["raw_path"].decode("latin-1").removeprefix(_CHECK).removesuffix("%00")


def _with_query(request: HubRequest, path: str) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _navigates(request: HubRequest) -> bool:
    """Whether a browser shows the answer to a person."""
    if request.method != "GET" or request.headers.get("upgrade"):
        return False
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")


async def _by_token(request: HubRequest, visit: Visit, actor: Actor) -> Response[bytes]:
    if not visit.open_to(actor):
        return _refuse(403, {})
    # The token is ours: the app learns who it belongs to, never the token.
    return _pass_on(_told(request, visit, actor), remove=["authorization"])


async def _by_pass(request: HubRequest, visit: Visit, actor: Actor) -> Response[bytes]:
    if not visit.open_to(actor) or (visit.own is not None and _from_elsewhere(request, visit.own)):
        return _refuse(403, {})
    response = _pass_on(_told(request, visit, actor))
    response.cookies.append(await new_pass(request, visit, actor))
    return response


def _from_elsewhere(request: HubRequest, own: str) -> bool:
    """Whether a page of another host asks, other than by leading its visitor here: the rule of `own.lua`."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site in ("same-origin", "none") or (site is None and origin in (None, own)):
        return False
    shown = (request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-dest"))
    return shown != ("navigate", "document") or request.method not in ("GET", "HEAD")


def _told(request: HubRequest, visit: Visit, actor: Actor) -> dict[str, str]:
    """What the app is told of its visitor, and the cookies that are its own."""
    plan = visit.server.plan
    assert plan is not None
    now = clock.now()
    until = now + request.hub.settings.edge.pass_life
    times = {"iat": int(now.timestamp()), "exp": int(until.timestamp())}
    url = address_of(request, visit)
    headers = {"x-apphub-identity": request.hub.passes.signer.identity(actor.name, actor.groups, url, times)}
    if plan.user_header:
        headers[plan.user_header.lower()] = header_text(actor.name)
    if plan.groups_header:
        headers[plan.groups_header.lower()] = ",".join(sorted(map(header_text, actor.groups)))[:1000]
    if actor.by_cookie and actor.session_public_id is not None:
        headers[_SESSION] = actor.session_public_id
    request.hub.usage.note(visit.server.id)
    headers["cookie"] = other_cookies(request)
    return headers


def _pass_on(headers: dict[str, str], *, remove: list[str] | None = None) -> Response[bytes]:
    gone = list(remove or ())
    if headers.get("cookie") == "":
        del headers["cookie"]
        gone.append("cookie")
    if gone:
        headers[_REMOVE] = ",".join(gone)
    return Response(b"", status_code=200, headers=headers, media_type=MediaType.TEXT)


def redirect(location: str) -> Response[bytes]:
    """Send the browser on, to an address that was checked."""
    return _refuse(302, {"location": location})


def _refuse(status: int, headers: dict[str, str]) -> Response[bytes]:
    words = {401: "Sign in first.", 403: "This app is not open to you.", 503: "The app has ended."}.get(
        status, ""
    )
    return Response(
        f"{words}\n".encode() if words else b"",
        status_code=status,
        headers={**headers, "cache-control": "no-store"},
        media_type=MediaType.TEXT,
    )


ROUTES = [check, note_use, hubs, log, login, *entry.ROUTES, key_set]
