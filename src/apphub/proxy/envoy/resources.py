"""From a scope to the bytes Envoy is sent, and the version that stands for them.

The address of an app travels inside its route, as a header that the route sets and an
ORIGINAL_DST cluster obeys: no cluster and no endpoint per app. Versions are hashes of the
content, so that an edge that kept its routes over a restart of the hub is sent only what
differs.

Guarding is the rule: the filter that checks a visitor's pass runs for every request, and a
route whose app asks by itself switches it off. A guarded route is named after what a pass must
say and where the app is, which no one else sets: to read a name is what costs the filter least
(see `guard.lua`).
"""

from __future__ import annotations

import hashlib

from msgspec.structs import replace

from apphub.proxy.base import ANYWHERE, AT_HOST, Guard, Route, Scope
from apphub.proxy.envoy.wire import Resource, block, count, high_block, text, varint

HUB_CLUSTER = "hub"
APPS_CLUSTER, SOCKETS_CLUSTER = "apps", "sockets"
#: Set by a route, obeyed by the cluster, removed before the app sees the request.
DST_HEADER = "x-hub-dst"
#: The doors of other machines, and what a route tells them: which machine is meant, and the port there.
DOORS_CLUSTER = "doors"
PLACE_HEADER, PORT_HEADER = "x-hub-place", "x-hub-port"
#: On an answer of a door that has sent a request nowhere: it may be sent again, whatever it is.
UNSENT_HEADER = "x-hub-unsent"
#: The request's scope, see `entrance`.
SCOPE_HEADER = "x-hub-scope"

#: The scope of everything that is not an app; no app's scope can be called so.
HUB_SCOPE = "hub"
_HUB_KEY = (".", "-")
#: The same by another key, for what is asked for most: it need not be found out that there is no other route.
API_SCOPE = "hub/api"

#: The first part of the scope of apps' own hosts; the second is the host.
HOST_KEY = "."
#: Where the hub lets a visitor in at an app's own host, and what that is for the hub.
ENTER_PATH = ".apphub/enter"
ENTER = "edge/enter"

#: At and below these paths the hub answers the edge's own questions and hears that an app is used; nobody
#: else is let there.
CHECK_PATH = "edge/check"
USED_PATH = "edge/used"
#: Where an edge of another machine hears which hubs there are.
HUBS_PATH = "edge/hubs"
#: Where a hub of another machine hears what servers of this one write.
OUTPUT_PATH = "edge/output"

#: What a route of something that does not run answers; `replies` makes it the way to the hub.
ASLEEP = 424

#: What the filter `edge` is to do more for requests that may become streams.
STREAMS = "streams"
#: What it does for apps on hosts of their own, and for requests there that may become streams.
OWN = "own"
OWN_STREAMS = "own-streams"
#: What it does for apps that ask by themselves where the hub's cookies are sent to its whole host.
HIDE = "hide"

#: The filters that guard (see `guard`), and where they keep what they have found out of a request.
FILTER, WATCH, METADATA = "edge", "watch", "apphub.guard"

#: ScopedRouteConfiguration: 1 name, 3 key {1 fragment {1 string}}, 5 routes (RouteConfiguration);
#: RouteConfiguration: 1 name, 2 hosts {1 name, 2 domains, 3 routes};
#: Route: 1 match {1 prefix, 2 path, 14 prefix of whole segments, 6 headers {1 name, 7 present, 8 inverted,
#: 13 string match {1 exact, 5 regex {2 text}, 7 part}, 14 missing is empty}}, 2 action {1 cluster,
#: 4 endpoints by metadata,
#: 5 prefix rewrite, 8 timeout, 9 retries, 24 time of quiet, 36 stream limit {1 duration {1 seconds}}},
#: 3 redirect {1 host, 3 status, 5 prefix rewrite, 7 scheme}, 7 direct response {1 status}, 9 headers to add,
#: 10 headers to add to the answer, 13 configuration by filter {1 name, 2 any}, 14 name, 20 body kept {1 bytes};
#: RetryPolicy: 1 on, 2 how often {1 number}, 5 hosts {1 name, 3 any}, 6 tries to choose one, 7 statuses,
#: 8 pauses {1 first, 2 longest}, each {1 seconds, 2 nanoseconds}, 9 headers {1 name, 13 string match}.
_FOREVER = block(8, b"")
#: How long its streams are quiet is an app's own affair; TCP keep-alive finds peers that are gone.
_QUIETLY = _FOREVER + high_block(24, b"")
_DISABLED = block(
    2, text(1, "type.googleapis.com/envoy.config.route.v3.FilterConfig") + block(2, count(3, 1))
)
_UNGUARDED = block(13, text(1, FILTER) + _DISABLED)


def _script(name: str, of: str = FILTER) -> bytes:
    """Lets a route's requests be looked at by another script than the usual one of a filter."""
    kind = text(1, "type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute")
    return block(13, text(1, of) + block(2, kind + block(2, text(2, name))))


_WATCHED = _script(WATCH, WATCH)
_STREAMS, _OWN, _OWN_STREAMS = _script(STREAMS) + _WATCHED, _script(OWN), _script(OWN_STREAMS) + _WATCHED
_HIDDEN = _script(HIDE)
#: How requests look that may become streams: websockets, and what `EventSource` sends.
_OPENS_WEBSOCKET = block(6, text(1, "upgrade") + count(7, 1))
_OPENS_EVENTS = block(6, text(1, "accept") + block(13, text(1, "text/event-stream")))
#: Not the way a websocket is opened.
_IS_PAGE = block(6, text(1, ":method") + block(13, block(5, text(2, "GET|HEAD")))) + block(
    6, text(1, "upgrade") + count(7, 1) + count(8, 1)
)
#: Two Host headers arrive as one with a comma. Such a request has no route (RFC 9112, 3.2: it is to be refused).
_ONE_HOST = block(6, text(1, ":authority") + count(8, 1) + block(13, text(7, ",")) + count(14, 1))
_OVERWRITE = count(3, 2)
#: What the hub gave a visitor when it was asked; nothing for all others.
_FRESH_PASS = block(10, block(1, text(1, "set-cookie") + text(2, f"%DYNAMIC_METADATA({METADATA}:cookie)%")))
#: Of RedirectAction.RedirectResponseCode.
_TEMPORARY_REDIRECT = 3


def resource(name: str, scope: Scope, base_url: str, *, hides: bool = False) -> Resource:
    """The resource of one app scope, its routes in the given order (first match wins).

    `hides` keeps the hub's cookies from apps that ask visitors by themselves.
    """
    base = base_url.rstrip("/")
    kind, _, rest = name.partition("/")
    if kind == AT_HOST:
        return _resource(name, (HOST_KEY, rest), _host_routes(base, *scope))
    return _resource(name, (kind, rest), b"".join(_app_route(base, route, hides) for route in scope))


#: Only requests of which nothing was sent are tried again, so repeating one is safe for any method.
_UNSENT = "connect-failure,refused-stream,reset-before-request,retriable-headers"
#: Requests that say the same twice if they are sent twice (RFC 9110, 9.2.2) are also tried again when the
#: connection broke, and when a hub says that it cannot answer just now.
_REPEATABLE = "connect-failure,refused-stream,reset,retriable-status-codes,retriable-headers"
#: Largest body of a request that is sent again: all that the hub takes (see `web/body`).
_KEPT_FOR_RETRIES = high_block(20, count(1, 2_000_000))
_REPEATABLE_METHODS = "GET|HEAD|PUT|DELETE|OPTIONS"
_ANOTHER_HOST = block(
    5,
    text(1, "another")
    + block(
        3, text(1, "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    ),
)


def _retries(on: str) -> bytes:
    """Up to eight tries more, of another hub if there is one; pauses grow from 0.1 to 1 s, at random up to that."""
    pauses = block(1, count(2, 100_000_000)) + block(2, count(1, 1))
    codes = block(7, varint(503)) if on is _REPEATABLE else b""
    # Flags of Envoy: nobody to connect to, not connected.
    unsent = block(9, text(1, UNSENT_HEADER) + block(13, block(5, text(2, "UH|UF"))))
    return (
        text(1, on) + block(2, count(1, 8)) + _ANOTHER_HOST + count(6, 3) + codes + block(8, pauses) + unsent
    )


def depth_of(base_url: str) -> int:
    """How many path segments the base URL has."""
    return len([segment for segment in base_url.split("/") if segment])


def hub_path(base_url: str) -> str:
    """What stands for the path of a request for the hub: its key, as deep as that of an app."""
    return "/" + "./" * depth_of(base_url) + "/".join(_HUB_KEY)


def app_paths(base_url: str) -> tuple[str, ...]:
    """Where the paths of all apps begin."""
    return (f"{base_url}user/", f"{base_url}services/")


def hub_resources(base_url: str) -> dict[str, Resource]:
    """The scopes of the hub: everything goes to a hub, waiting some 3 s where none is there."""
    base = base_url.rstrip("/")
    # The edge asks the hub on a way of its own; from outside that path leads nowhere.
    private = b"".join(
        block(3, block(1, text(1, f"{base}/hub/{path}")) + block(7, count(1, 404)) + _UNGUARDED)
        for path in (CHECK_PATH, USED_PATH, HUBS_PATH, OUTPUT_PATH)
    )
    repeatable = block(6, text(1, ":method") + block(13, block(5, text(2, _REPEATABLE_METHODS))))
    to_hub = b"".join(
        block(
            3,
            block(1, text(1, "/") + match + _ONE_HOST)
            + block(2, text(1, HUB_CLUSTER) + _FOREVER + block(9, _retries(on)))
            + _UNGUARDED
            + _KEPT_FOR_RETRIES,
        )
        for match, on in ((repeatable, _REPEATABLE), (b"", _UNSENT))
    )
    return {
        HUB_SCOPE: _resource(HUB_SCOPE, _HUB_KEY, private + to_hub),
        API_SCOPE: _resource(API_SCOPE, ("hub", "api"), to_hub),
    }


def _host_routes(base: str, route: Route) -> bytes:
    """Of an app's own host: all is the app's, but for the one path where the hub lets visitors in."""
    reserved = f"/{ENTER_PATH.partition('/')[0]}"
    to_hub = text(1, HUB_CLUSTER) + _FOREVER + text(5, f"{base}/hub/{ENTER}") + block(9, _retries(_UNSENT))
    enter = block(1, text(2, f"/{ENTER_PATH}")) + block(2, to_hub) + _UNGUARDED
    nothing = b"".join(
        block(3, block(1, text(at, path)) + block(7, count(1, 404)) + _UNGUARDED)
        for at, path in ((1, f"{reserved}/"), (2, reserved))
    )
    app = replace(route, prefix="/", strip=False)
    return block(3, enter) + nothing + _to_app("", app, _OWN, _OWN_STREAMS)


def _app_route(base: str, route: Route, hides: bool) -> bytes:
    if route.target is None:
        path = base + route.prefix.rstrip("/")
        match = block(1, text(2, path) + _IS_PAGE if route.bare else text(14, path))
        return block(3, match + block(7, count(1, ASLEEP)) + _UNGUARDED)
    if not route.host:
        return _to_app(base, route, b"", _STREAMS, _HIDDEN if hides else _UNGUARDED)
    # 307 keeps the method.
    scheme = route.origin.partition("://")[0]
    there = text(1, route.host) + count(3, _TEMPORARY_REDIRECT) + text(5, "/") + text(7, scheme)
    return block(3, block(1, text(1, base + route.prefix)) + block(3, there) + _UNGUARDED)


def _to_app(base: str, route: Route, plain: bytes, streams: bytes, unguarded: bytes = _UNGUARDED) -> bytes:
    """Routes to an app; `plain` and `streams` say which scripts look at its requests."""
    action = _QUIETLY
    if route.strip:
        action += text(5, "/")
    if route.stream_life:
        action += high_block(36, block(1, count(1, route.stream_life)))
    way, apps, sockets = _way(route), _cluster(route, APPS_CLUSTER), _cluster(route, SOCKETS_CLUSTER)
    if route.guard is None:
        rest = b"".join(_header(name, value) for name, value in way) + unguarded
        kinds = [(_OPENS_WEBSOCKET, sockets, rest)] if sockets != apps else []
        kinds.append((b"", apps, rest))
    else:
        rule = _FRESH_PASS + text(14, _rule(route.guard, way))
        kinds = [
            (_OPENS_WEBSOCKET, sockets, rule + streams),
            (_OPENS_EVENTS, apps, rule + streams),
            (b"", apps, rule + plain),
        ]
    prefix = text(1, base + route.prefix)
    return b"".join(
        block(3, block(1, prefix + opens + _ONE_HOST) + block(2, cluster + action) + rest)
        for opens, cluster, rest in kinds
    )


def _cluster(route: Route, here: str) -> bytes:
    """Where the app is: this machine's cluster `here`, all hubs, or the doors of another machine."""
    if route.target is None or not route.place:
        return text(1, here)
    if route.place == ANYWHERE:
        return text(1, HUB_CLUSTER)
    there = block(1, text(1, "place") + block(2, text(3, route.place)))
    return text(1, DOORS_CLUSTER) + block(4, block(1, text(1, "envoy.lb") + block(2, there)))


def _way(route: Route) -> list[tuple[str, str]]:
    """The headers that tell the cluster where: an address, or the name of a machine and a port there."""
    if route.target is None or route.place in ("", ANYWHERE):
        return [(DST_HEADER, str(route.target))]
    return [(PLACE_HEADER, route.place), (PORT_HEADER, str(route.target.port))]


def _header(name: str, value: str) -> bytes:
    return block(9, block(1, text(1, name) + text(2, value)) + _OVERWRITE)


def _rule(guard: Guard, way: list[tuple[str, str]]) -> str:
    """What the filter reads: one text, for it takes a known one apart only once."""
    denied = f",{','.join(guard.denied)},"
    where = "&".join(f"{name}={value}" for name, value in way)
    return "|".join((guard.id, str(guard.epoch), guard.user_header, guard.groups_header, denied, where))


def _resource(name: str, key: tuple[str, ...], routes: bytes) -> Resource:
    host = text(1, "v") + text(2, "*") + routes
    title = text(1, name)
    fragments = b"".join(block(1, text(1, fragment)) for fragment in key)
    content = title + block(3, fragments) + block(5, title + block(2, host))
    return Resource(hashlib.sha256(content).hexdigest()[:20], content)
