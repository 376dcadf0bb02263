"""From a scope to the bytes Envoy is sent, and the version that stands for them.

The address of an app travels inside its route, as a header that the route sets and an
ORIGINAL_DST cluster obeys: no cluster and no endpoint per app. Versions are hashes of the
content, so that an edge that kept its routes over a restart of the hub is sent only what
differs.

Every route leaves authentication to its app; what the edge shall check itself will be
said here, per route.
"""

from __future__ import annotations

import hashlib

from apphub.proxy.base import Route, Scope
from apphub.proxy.envoy.wire import Resource, block, count, text

HUB_CLUSTER = "hub"
APPS_CLUSTER = "apps"
#: Set by a route, obeyed by the cluster, removed before the app sees the request.
DST_HEADER = "x-hub-dst"
#: The request's scope, see `entrance`.
SCOPE_HEADER = "x-hub-scope"

#: The scope of everything that is not an app; no app's scope can be called so.
HUB_SCOPE = "hub"
HUB_KEY = (".", "-")

#: ScopedRouteConfiguration: 1 name, 3 key {1 fragment {1 string}}, 5 routes (RouteConfiguration);
#: RouteConfiguration: 1 name, 2 hosts {1 name, 2 domains, 3 routes};
#: Route: 1 match {1 prefix}, 2 action {1 cluster, 8 timeout, 9 retries}, 9 headers to add.
_FOREVER = block(8, b"")
_APPS = block(2, text(1, APPS_CLUSTER) + _FOREVER)
_DST = text(1, DST_HEADER)
_OVERWRITE = count(3, 2)


def resource(name: str, scope: Scope, base_url: str) -> Resource:
    """The resource of one app scope, its routes in the given order (first match wins)."""
    base = base_url.rstrip("/")
    return _resource(name, tuple(name.split("/")), b"".join(_app_route(base, route) for route in scope))


def hub_resource() -> Resource:
    """The resource of the hub's scope: everything goes to the hub, waiting a little while it restarts.

    Only requests of which nothing was sent are tried again, so repeating one is safe for any method.
    The pauses grow from 0.1 to 1 s, at random up to that: about 3 s in all.
    """
    pauses = block(1, count(2, 100_000_000)) + block(2, count(1, 1))
    retries = text(1, "connect-failure,refused-stream,reset-before-request") + block(2, count(1, 8))
    action = text(1, HUB_CLUSTER) + _FOREVER + block(9, retries + block(8, pauses))
    return _resource(HUB_SCOPE, HUB_KEY, block(3, block(1, text(1, "/")) + block(2, action)))


def _app_route(base: str, route: Route) -> bytes:
    header = block(1, _DST + text(2, str(route.target)))
    return block(3, block(1, text(1, base + route.prefix)) + _APPS + block(9, header + _OVERWRITE))


def _resource(name: str, key: tuple[str, ...], routes: bytes) -> Resource:
    host = text(1, "v") + text(2, "*") + routes
    title = text(1, name)
    fragments = b"".join(block(1, text(1, fragment)) for fragment in key)
    content = title + block(3, fragments) + block(5, title + block(2, host))
    return Resource(hashlib.sha256(content).hexdigest()[:20], content)
