"""Mutual TLS between the edges and the doors of other machines: both show papers, in files that Envoy follows.

TLS 1.3 only, no resumption: whoever connects shows papers that count now. Hubs and edges are
signed by authorities of their own (see `kit/trust`), whose certificates never change and so
stand in the configuration; what a hub or an edge shows is made anew every day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apphub.kit.files import write_private
from apphub.kit.trust import RENEWED_AFTER, Papers
from apphub.proxy.envoy.rundir import private_directory
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]

_IDENTITY = "identity"


def identity_file(run_dir: Path) -> Path:
    """The papers of an edge or a door as PEM, the key below the certificate."""
    return run_dir / "mutual" / "identity.pem"


def _secret_file(run_dir: Path) -> Path:
    return run_dir / "mutual" / "identity.json"


class OwnPapers:
    """Keeps the papers of one Envoy new: as a secret that it follows, and for our own requests."""

    def __init__(self, run_dir: Path, issue: Callable[[], Papers]) -> None:
        self._run_dir = run_dir
        self._issue = issue
        self._issued = 0.0

    def prepare(self) -> None:
        """Write new ones before Envoy reads them."""
        papers = self._issue()
        private_directory(identity_file(self._run_dir).parent)
        write_private(identity_file(self._run_dir), (papers.certificate + papers.key).encode())
        secret = typed(
            "envoy.extensions.transport_sockets.tls.v3.Secret",
            name=_IDENTITY,
            tls_certificate={
                "certificate_chain": {"inline_string": papers.certificate},
                "private_key": {"inline_string": papers.key},
            },
        )
        write_private(_secret_file(self._run_dir), json.dumps({"resources": [secret]}).encode())
        self._issued = time.monotonic()

    def refresh(self) -> None:
        """Write new ones where those that are there get old."""
        if time.monotonic() - self._issued > RENEWED_AFTER.total_seconds():
            self.prepare()


def _context(run_dir: Path, trusted: str, name: str, alpn: Sequence[str]) -> Json:
    file = _secret_file(run_dir)
    source = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": list(alpn),
        "tls_certificate_sds_secret_configs": [
            {
                "name": _IDENTITY,
                "sds_config": {"resource_api_version": "V3", "path_config_source": source},
            }
        ],
        "validation_context": {
            "trusted_ca": {"inline_string": trusted},
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}],
        },
    }


def to_hubs(run_dir: Path, trusted: str, hub: str, asked_for: str, alpn: str) -> Json:
    """The socket of an edge's cluster: connects to nobody but a hub of ours. `asked_for` says what the door is for."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            common_tls_context=_context(run_dir, trusted, hub, [alpn]),
            sni=asked_for,
            max_session_keys=0,
        ),
    }


def from_edges(run_dir: Path, trusted: str, edge: str, alpn: str) -> Json:
    """The socket of a door: takes nobody but an edge of ours."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            common_tls_context=_context(run_dir, trusted, edge, [alpn]),
            require_client_certificate=True,
            disable_stateless_session_resumption=True,
            disable_stateful_session_resumption=True,
        ),
    }
