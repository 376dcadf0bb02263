"""The HTTP part of a listener: which headers pass, and how a request finds its scope.

A request's scope is the pair of path segments after the base URL. Whatever has none, and is not
below `user/` or `services/`, belongs to the hub. Envoy knows no default scope: the scope key is cut
from a header that holds the path, and what that leads nowhere is given a path of dots instead,
which no client can send (paths are normalised first), by the filter that runs where there is no
route (`hub.lua`). Where apps have hosts of their own, what the header holds is an expression.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from apphub.kit.apphosts import AppHosts
from apphub.proxy.envoy.counts import router
from apphub.proxy.envoy.guard import guard_filters
from apphub.proxy.envoy.replies import BELOW_BASE, OwnHosts, local_replies
from apphub.proxy.envoy.resources import HOST_KEY, SCOPE_HEADER, app_paths, depth_of, hub_path
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]

#: The longest quiet of a connection without requests, and of one for the hub (apps: see `resources`).
IDLE = "3600s"


def connection_manager(
    base_url: str,
    trusted_proxies: int,
    xds_cluster: str,
    keys: str,
    ended: Path,
    own: OwnHosts | None = None,
    *,
    far: bool = False,
) -> Json:
    """The HttpConnectionManager of every listener."""
    apps = own.apps if own is not None else None
    return typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="AUTO",
        use_remote_address=True,
        xff_num_trusted_hops=trusted_proxies,
        append_x_forwarded_port=True,
        # Nobody is "internal": an empty list would make loopback so, and its x-envoy-* would count.
        internal_address_config={"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        normalize_path=True,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        server_header_transformation="PASS_THROUGH",
        generate_request_id=False,
        stream_idle_timeout=IDLE,
        request_headers_timeout="30s",
        max_request_headers_kb=128,
        upgrade_configs=[{"upgrade_type": "websocket"}],
        common_http_protocol_options={
            # WSGI and CGI apps cannot tell `x_forwarded_for` from `x-forwarded-for`.
            "headers_with_underscores_action": "DROP_HEADER",
            "idle_timeout": IDLE,
            "max_headers_count": 200,
        },
        http_protocol_options={"accept_http_10": True},
        http2_protocol_options={
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 262144,
            "initial_connection_window_size": 1048576,
        },
        early_header_mutation_extensions=[_early(base_url, trusted_proxies, apps)],
        scoped_routes=_scoped_routes(base_url, xds_cluster),
        local_reply_config={"mappers": local_replies(base_url, own)},
        http_filters=_http_filters(base_url, keys, ended, apps, far),
    )


def _http_filters(base_url: str, keys: str, ended: Path, apps: AppHosts | None, far: bool) -> list[Json]:
    filters = []
    if base_url != "/":
        filters.append(_path_below(base_url))
    return [*filters, *guard_filters(base_url, keys, ended, apps, far=far), router()]


def _path_below(base_url: str) -> Json:
    """Keeps the path without the base URL at hand for redirects: no formatter can cut a string."""
    rewrite = {"pattern": {"regex": "^" + re.escape(base_url.rstrip("/"))}, "substitution": ""}
    rule = {
        "header": ":path",
        "on_header_present": {**BELOW_BASE, "type": "STRING", "regex_value_rewrite": rewrite},
    }
    config = typed("envoy.extensions.filters.http.header_to_metadata.v3.Config", request_rules=[rule])
    return {"name": "envoy.filters.http.header_to_metadata", "typed_config": config}


def _early(base_url: str, trusted_proxies: int, apps: AppHosts | None) -> Json:
    """Before anything looks at them: drop headers that only the edge may say, then name the scope."""
    prefixes = ["x-hub", "x-apphub", "x-envoy", "remote"]
    if not trusted_proxies:
        prefixes.append("x-forwarded")
    # One look at all headers, whose names are in lower case by now.
    regex = f"(?:{'|'.join(prefixes)})-.*"
    mutations: list[Json] = [{"remove_on_match": {"key_matcher": {"safe_regex": {"regex": regex}}}}]
    # Tornado believes X-Real-Ip before X-Forwarded-For; Proxy becomes HTTP_PROXY in CGI programs.
    mutations += [{"remove": name} for name in ("x-real-ip", "forwarded", "proxy")]
    if trusted_proxies:
        mutations += [
            {"remove": f"x-forwarded-{name}"} for name in ("user", "email", "groups", "preferred-username")
        ]
    mutations.append(_set("x-forwarded-host", "%REQ(:AUTHORITY)%", "ADD_IF_ABSENT"))
    mutations.append(_set(SCOPE_HEADER, _scope_value(base_url, apps), "OVERWRITE_IF_EXISTS_OR_ADD"))
    config = typed(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations
    )
    return {"name": "strip", "typed_config": config}


def _set(key: str, value: str, action: str) -> Json:
    return {"append": {"header": {"key": key, "value": value}, "append_action": action}}


def _scope_value(base_url: str, apps: AppHosts | None) -> str:
    if apps is None:
        return "%REQ(:PATH)%"  # an expression takes a tenth of a request
    # Whatever its path says, a request for an app's host has a scope of that host alone. Expressions cannot
    # put texts together, so there are two.
    before = "/" + "./" * depth_of(base_url) + f"{HOST_KEY}/"
    here = _below_domain(apps)
    paths = " || ".join(f"request.url_path.startsWith('{path}')" for path in app_paths(base_url))
    path = f"({paths} ? request.url_path : '{hub_path(base_url)}')"
    return f"%CEL({here} ? '{before}' : {path})%%CEL({here} ? request.host : '')%"


def _below_domain(apps: AppHosts) -> str:
    """Browsers write hosts in lower case; the hub itself refuses what is written otherwise (see `web/front`)."""
    domain = f".{apps.domain}"
    ends = " || ".join(f"request.host.endsWith('{domain}{dot}')" for dot in ("", "."))
    ports = " || ".join(f"request.host.contains('{domain}{dot}:')" for dot in ("", "."))
    return f"({ends} || {ports})"


#: Envoy's own pauses grow to half a minute: a hub that was away for long would wait so long for its edge.
_RECONNECT = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}}


def _scoped_routes(base_url: str, xds_cluster: str) -> Json:
    source = {
        "resource_api_version": "V3",
        # Listen after this even without a hub: its pages then say so, instead of a refused connection.
        "initial_fetch_timeout": "5s",
        "api_config_source": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": xds_cluster, "retry_policy": _RECONNECT}}],
        },
    }
    depth = depth_of(base_url)
    fragments = [
        {"header_value_extractor": {"name": SCOPE_HEADER, "element_separator": "/", "index": depth + i}}
        for i in (1, 2)
    ]
    return {
        "name": "edge",
        "scope_key_builder": {"fragments": fragments},
        "rds_config_source": source,
        "scoped_rds": {"scoped_rds_config_source": source},
    }
