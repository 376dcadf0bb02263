"""Where an edge sends requests: the hub, the apps, and the control stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apphub.kit.trust import HUB, HUB_ROUTES
from apphub.proxy.envoy.meeting import XDS_CLUSTER, endpoints_file
from apphub.proxy.envoy.mutual import to_hubs
from apphub.proxy.envoy.resources import (
    APPS_CLUSTER,
    DOORS_CLUSTER,
    DST_HEADER,
    HUB_CLUSTER,
    PLACE_HEADER,
    PORT_HEADER,
    SCOPE_HEADER,
    SOCKETS_CLUSTER,
)
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]

#: Idle connections to apps are closed by us before common servers close them (uvicorn and node: 5 s),
#: else a request may be sent into a connection that is just being closed.
APP_IDLE = "4s"
#: The hub closes after 30 s (`serve.PATIENCE`).
HUB_IDLE = "10s"
#: Doors never close first.
DOOR_IDLE = "60s"
KEEPALIVE = {"keepalive_time": 60, "keepalive_interval": 10, "keepalive_probes": 6}


#: A machine that has gone without a word takes nothing for so long (milliseconds), and is given up: TCP_USER_TIMEOUT
#: (tcp(7)). Linux itself would wait a quarter of an hour.
_GIVE_UP = {"level": 6, "name": 18, "int_value": 5000, "state": "STATE_PREBIND"}


def _by_doors(run_dir: Path, cluster: str, trusted: str, asked_for: str, alpn: str) -> Json:
    """A cluster that is reached by doors."""
    return {
        **_found_in(run_dir, cluster),
        "transport_socket": to_hubs(run_dir, trusted, HUB, asked_for, alpn),
        "upstream_bind_config": {"socket_options": [_GIVE_UP]},
    }


def _found_in(run_dir: Path, cluster: str) -> Json:
    """A cluster whose endpoints stand in a file (see `meeting`)."""
    file = endpoints_file(run_dir, cluster)
    source = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {
        "name": cluster,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": {"resource_api_version": "V3", "path_config_source": source}},
        # Where all seem to be gone all are tried: one may be back.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
    }


#: A hub that takes no connection is left alone for a moment, at once; what hubs answer does not count.
_LEAVE_THE_DEAD = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 1,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_success_rate": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "interval": "0.5s",
    "base_ejection_time": "1s",
    "max_ejection_time": "2s",
    "max_ejection_percent": 100,
}


#: Envoy's defaults (1,024 connections, 3 retries) are for clusters of unknown backends.
_THRESHOLDS = {
    "thresholds": [
        {
            "max_connections": 100000,
            "max_pending_requests": 100000,
            "max_requests": 100000,
            "max_retries": 10000,
        }
    ]
}


#: What only hub and edge say to each other; the last step before an app or a hub takes it off.
_OURS = (DST_HEADER, PLACE_HEADER, PORT_HEADER, SCOPE_HEADER, "x-hub-session", "x-envoy-external-address")
#: What a door has to be told.
_FOR_DOORS = (DST_HEADER, PLACE_HEADER, PORT_HEADER)


def _to_upstream(idle: str, kept: Sequence[str] = ()) -> Json:
    """HTTP/1.1 to the hub and to apps; the last filter before the wire takes the hub's own headers off."""
    options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": idle, "max_headers_count": 500},
        explicit_http_config={"http_protocol_options": {}},
        http_filters=[
            {
                "name": "strip",
                "typed_config": typed(
                    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                    mutations={
                        "request_mutations": [
                            *({"remove": name} for name in _OURS if name not in kept),
                            {"append": _FORWARDED_FOR},
                        ]
                    },
                ),
            },
            {
                "name": "envoy.filters.http.upstream_codec",
                "typed_config": typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
            },
        ],
    )
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


#: The one address that counts (already found among the trusted hops), so that an app that takes the
#: first and an app that takes the last entry of the list see the same, true one.
_FORWARDED_FOR = {
    "header": {"key": "x-forwarded-for", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}


def hub_cluster(run_dir: Path, trusted: str = "") -> Json:
    """The HTTP of the hubs, any of which answers any request.

    `trusted` is the certificate that hubs of other machines are signed with, where doors lead to them.
    """
    return {
        **(
            _by_doors(run_dir, HUB_CLUSTER, trusted, HUB, "http/1.1")
            if trusted
            else _found_in(run_dir, HUB_CLUSTER)
        ),
        "circuit_breakers": _THRESHOLDS,
        "outlier_detection": _LEAVE_THE_DEAD,
        "typed_extension_protocol_options": _to_upstream(HUB_IDLE, _FOR_DOORS if trusted else ()),
    }


def apps_cluster() -> Json:
    """Every app, at the address its route names."""
    return {
        "name": APPS_CLUSTER,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "cleanup_interval": "60s",
        "circuit_breakers": _THRESHOLDS,
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": DST_HEADER},
        "upstream_connection_options": {"tcp_keepalive": KEEPALIVE},
        "typed_extension_protocol_options": _to_upstream(APP_IDLE),
    }


def sockets_cluster() -> Json:
    """The same for websockets, whose messages are small.

    With the usual buffer of a megabyte, which downloads need, Envoy prepares 128 KB for every read; without it
    one edge passes on some 5 % more messages.
    """
    return {**apps_cluster(), "name": SOCKETS_CLUSTER, "per_connection_buffer_limit_bytes": 16384}


def doors_cluster(run_dir: Path, trusted: str) -> Json:
    """The apps of other machines, each by the door of the machine that its route names; no other one will do."""
    return {
        **_by_doors(run_dir, DOORS_CLUSTER, trusted, HUB, "http/1.1"),
        "circuit_breakers": _THRESHOLDS,
        "lb_subset_config": {"fallback_policy": "NO_FALLBACK", "subset_selectors": [{"keys": ["place"]}]},
        "upstream_connection_options": {"tcp_keepalive": KEEPALIVE},
        "typed_extension_protocol_options": _to_upstream(DOOR_IDLE, _FOR_DOORS),
    }


def xds_cluster(run_dir: Path, trusted: str = "") -> Json:
    """The control streams of the hubs, one of which is held; pings notice a hub that hangs."""
    options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={
            "http2_protocol_options": {"connection_keepalive": {"interval": "10s", "timeout": "5s"}}
        },
    )
    return {
        **(
            _by_doors(run_dir, XDS_CLUSTER, trusted, HUB_ROUTES, "h2")
            if trusted
            else _found_in(run_dir, XDS_CLUSTER)
        ),
        "outlier_detection": _LEAVE_THE_DEAD,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }
