"""What Envoy counts: what somebody reads, no more. Its usual 600 figures take a tenth of each request."""

from __future__ import annotations

from typing import Any

from apphub.proxy.envoy.typed import typed

#: What is under way now (Envoy itself goes by some of these), what it refused, and how the process is.
STATS: dict[str, Any] = {
    "stats_matcher": {
        "inclusion_list": {
            "patterns": [{"suffix": "_active"}, {"suffix": ".update_rejected"}, {"prefix": "server."}]
        }
    }
}


def router() -> dict[str, Any]:
    """The last filter, without its counts by status."""
    config = typed(
        "envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True, dynamic_stats=False
    )
    return {"name": "envoy.filters.http.router", "typed_config": config}
