"""The door of a machine: where edges of other machines reach its hubs and its servers, by mutual TLS.

Servers listen on loopback, hubs on unix sockets; only the door is on the network. It is an Envoy
beside the machine's hubs, and like a server it outlives them. What it is asked for stands in
the name that an edge connects to: routes (gRPC), or requests. No path that a visitor may choose
leads from one to the other.

A request that names this machine and a port goes to that port of loopback, if it is one that
servers have. One that names another machine (which had this address before) goes nowhere. All
others are for the hubs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from apphub.kit.addresses import Address
from apphub.kit.trust import EDGE, HUB, HUB_ROUTES
from apphub.proxy.envoy.clusters import KEEPALIVE, apps_cluster, hub_cluster, xds_cluster
from apphub.proxy.envoy.counts import STATS, router
from apphub.proxy.envoy.entrance import IDLE
from apphub.proxy.envoy.meeting import XDS_CLUSTER, Meeting
from apphub.proxy.envoy.mutual import from_edges
from apphub.proxy.envoy.replies import local_replies
from apphub.proxy.envoy.resources import (
    APPS_CLUSTER,
    DST_HEADER,
    HUB_CLUSTER,
    PLACE_HEADER,
    PORT_HEADER,
)
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]


class Door(Struct, frozen=True, kw_only=True):
    """What a door is built from."""

    run_dir: Path
    bind: tuple[Address, ...]
    #: The name of this machine.
    place: str
    base_url: str
    #: Ports of servers: the first and the last.
    ports: tuple[int, int]
    #: Services of the settings that listen on this machine.
    services: tuple[Address, ...]
    #: The certificate of the authority that signs edges, PEM.
    trusted: str
    #: Where the hubs of this machine are.
    meeting: Meeting


def rendered_door(door: Door) -> bytes:
    """The configuration as the bytes of its file."""
    config = {
        "node": {"id": f"door-{door.place}", "cluster": "door"},
        "admin": {"address": {"pipe": {"path": str(door.run_dir / "admin.sock"), "mode": 0o600}}},
        "stats_config": STATS,
        "static_resources": {
            "listeners": [_listener(door, address) for address in door.bind],
            "clusters": [hub_cluster(door.run_dir), apps_cluster(), xds_cluster(door.run_dir)],
        },
    }
    return json.dumps(config, indent=1, sort_keys=True).encode()


def _listener(door: Door, address: Address) -> Json:
    inspector = typed("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector")
    return {
        "name": str(address),
        "address": {"socket_address": {"address": address.ip, "port_value": address.port}},
        "enable_reuse_port": False,
        "listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}],
        # Whoever asks for neither is not answered.
        "filter_chains": [
            _chain(door, HUB, "http/1.1", _requests(door)),
            _chain(door, HUB_ROUTES, "h2", [_to_cluster(XDS_CLUSTER)]),
        ],
        "tcp_keepalive": KEEPALIVE,
    }


def _chain(door: Door, asked_for: str, alpn: str, routes: Sequence[Json]) -> Json:
    host = {"name": "door", "domains": ["*"], "routes": list(routes)}
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="HTTP2" if alpn == "h2" else "HTTP1",
        # What the edge says of the visitor is passed on as it is: it has looked already.
        use_remote_address=False,
        skip_xff_append=True,
        internal_address_config={"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        server_header_transformation="PASS_THROUGH",
        generate_request_id=False,
        # Streams of routes may be quiet for days; all others end when their edge lets go of them.
        stream_idle_timeout="0s",
        max_request_headers_kb=192,
        upgrade_configs=[{"upgrade_type": "websocket"}] if alpn != "h2" else [],
        common_http_protocol_options={"idle_timeout": IDLE, "max_headers_count": 400},
        route_config={"name": "door", "virtual_hosts": [host]},
        local_reply_config={"mappers": local_replies(door.base_url, unsent=True)},
        http_filters=[router()],
    )
    return {
        "name": asked_for,
        "filter_chain_match": {"server_names": [asked_for]},
        "transport_socket": from_edges(door.run_dir, door.trusted, EDGE, alpn),
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }


def _requests(door: Door) -> list[Json]:
    first, last = door.ports
    here = [
        _header(PLACE_HEADER, string_match={"exact": door.place}),
        _header(PORT_HEADER, range_match={"start": first, "end": last + 1}),
    ]
    target = {
        "header": {"key": DST_HEADER, "value": f"127.0.0.1:%REQ({PORT_HEADER})%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    to_server = {**_to_cluster(APPS_CLUSTER, *here), "request_headers_to_add": [target]}
    to_services = [
        _to_cluster(APPS_CLUSTER, _header(DST_HEADER, string_match={"exact": str(address)}))
        for address in door.services
    ]
    nowhere = [
        {"match": _match(_header(name, present_match=True)), "direct_response": {"status": 503}}
        for name in (PLACE_HEADER, PORT_HEADER, DST_HEADER)
    ]
    return [to_server, *to_services, *nowhere, _to_cluster(HUB_CLUSTER)]


def _to_cluster(cluster: str, *headers: Json) -> Json:
    return {"match": _match(*headers), "route": {"cluster": cluster, "timeout": "0s"}}


def _match(*headers: Json) -> Json:
    return {"prefix": "/", "headers": list(headers)}


def _header(name: str, **match: Any) -> Json:
    return {"name": name, **match}
