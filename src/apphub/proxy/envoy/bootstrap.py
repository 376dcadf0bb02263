"""Envoy's static configuration, as a function of a few inputs.

Written once per start and identified by its hash: a running Envoy with the same hash is
adopted, one with another hash is replaced. Everything that changes while running (routes,
certificates) arrives another way, so nothing volatile may enter here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from apphub.kit.addresses import Address
from apphub.kit.trust import Papers
from apphub.proxy.envoy.clusters import (
    KEEPALIVE,
    apps_cluster,
    doors_cluster,
    hub_cluster,
    sockets_cluster,
    xds_cluster,
)
from apphub.proxy.envoy.counts import STATS
from apphub.proxy.envoy.entrance import connection_manager
from apphub.proxy.envoy.meeting import XDS_CLUSTER, Meeting
from apphub.proxy.envoy.replies import OwnHosts
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]

#: Name of the certificate in the SDS file.
SECRET = "edge"  # noqa: S105


class TlsFiles(Struct, frozen=True):
    """Where the certificate chain and its key lie, as PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Far:
    """How an edge reaches the doors of other machines."""

    #: Addresses to ask first: HOST:PORT.
    seeds: tuple[str, ...]
    #: The certificate of the authority that signs hubs, PEM.
    trusted: str
    #: Makes what this edge shows to the doors.
    papers: Callable[[], Papers] = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What one Envoy is built from."""

    #: Folder of this Envoy's own files; made 0700.
    run_dir: Path
    #: Public addresses, IPv4 and IPv6. `::` takes IPv4 too unless `0.0.0.0` is listed with the same port.
    bind: tuple[Address, ...]
    #: Path below which everything is served, with a slash at both ends.
    base_url: str = "/"
    tls: TlsFiles | None = None
    #: Proxies in front whose X-Forwarded-* counts.
    trusted_proxies: int = 0
    #: Where the hubs are.
    meeting: Meeting
    #: Public keys that passes are checked with: a JSON Web Key Set (RFC 7517).
    keys: str
    #: Hosts of apps that have their own, and where the hub is from there.
    own: OwnHosts | None = None
    #: Where hubs of other machines are; None: they are in `meeting`.
    far: Far | None = None
    #: How this edge calls itself on the control stream.
    name: str = "edge"
    #: Public connections at once; each takes two file descriptors.
    max_connections: int = 20_000

    def __post_init__(self) -> None:
        for path in (self.run_dir, self.meeting.folder):
            if not path.is_absolute():
                raise ValueError(f"{path} must be an absolute path: Envoy runs in another folder")

    @property
    def secret_file(self) -> Path:
        """The SDS file that names the certificate, in a folder of its own (Envoy watches the folder)."""
        return self.run_dir / "tls" / "sds.json"

    @property
    def ended_file(self) -> Path:
        """Names visitors whose open streams must end (see `ended`)."""
        return self.run_dir / "ended" if self.far is not None else self.meeting.ended

    @property
    def admin_socket(self) -> Path:
        """Envoy's own interface, a unix socket."""
        return self.run_dir / "admin.sock"


def bootstrap(edge: Edge) -> Json:
    """The whole configuration."""
    return {
        "node": {"id": edge.name, "cluster": "edge"},
        "admin": {"address": {"pipe": {"path": str(edge.admin_socket), "mode": 0o600}}},
        "stats_config": STATS,
        "static_resources": {
            "listeners": [_listener(edge, address) for address in edge.bind],
            "clusters": _clusters(edge),
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": typed(
                        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        max_active_downstream_connections=edge.max_connections,
                    ),
                }
            ]
        },
    }


def _clusters(edge: Edge) -> list[Json]:
    trusted = edge.far.trusted if edge.far is not None else ""
    doors = [doors_cluster(edge.run_dir, trusted)] if trusted else []
    ours = [hub_cluster(edge.run_dir, trusted), xds_cluster(edge.run_dir, trusted)]
    return [*ours, apps_cluster(), sockets_cluster(), *doors]


def rendered(edge: Edge) -> bytes:
    """The configuration as the bytes of its file."""
    return json.dumps(bootstrap(edge), indent=1, sort_keys=True).encode()


def fingerprint(content: bytes) -> str:
    """What tells one rendered bootstrap from another."""
    return hashlib.sha256(content).hexdigest()


#: Bytes of a visitor's connection that wait in the edge, in each direction, before it stops to read more: as much as
#: Envoy's "Configuring Envoy as an edge proxy" advises, so that many who are slow take little.
BUFFERED = 32768


def _listener(edge: Edge, address: Address) -> Json:
    socket: Json = {"address": address.ip, "port_value": address.port}
    if address.ip == "::" and Address("0.0.0.0", address.port) not in edge.bind:  # noqa: S104
        socket["ipv4_compat"] = True
    chain: Json = {
        "filters": [
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": connection_manager(
                    edge.base_url,
                    edge.trusted_proxies,
                    XDS_CLUSTER,
                    edge.keys,
                    edge.ended_file,
                    edge.own,
                    far=edge.far is not None,
                ),
            }
        ]
    }
    if edge.tls is not None:
        chain["transport_socket"] = _tls(edge)
    return {
        "name": str(address),
        "address": {"socket_address": socket},
        # Otherwise a second or forgotten Envoy would share the port without a word.
        "enable_reuse_port": False,
        "filter_chains": [chain],
        "tcp_keepalive": KEEPALIVE,
        "per_connection_buffer_limit_bytes": BUFFERED,
    }


def _tls(edge: Edge) -> Json:
    source = {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": str(edge.secret_file),
            "watched_directory": {"path": str(edge.secret_file.parent)},
        },
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context={
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificate_sds_secret_configs": [{"name": SECRET, "sds_config": source}],
            },
        ),
    }


def secret(chain: str, key: Path) -> bytes:
    """The SDS file: the (public) chain itself, and where the key lies.

    The chain is inside so that a new one makes the file different: Envoy ignores an SDS file
    that says the same as before, whatever happened to the files it names.
    """
    certificate = {"certificate_chain": {"inline_string": chain}, "private_key": {"filename": str(key)}}
    resource = typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret", name=SECRET, tls_certificate=certificate
    )
    return json.dumps({"resources": [resource]}, indent=1).encode()
