"""What the hub counts about itself, under JupyterHub's names, so that its dashboards go on working.

Counts of this process are kept where they happen; what is true of the whole hub (servers,
users) is asked of the database when somebody looks, so that every replica says the same.
"""

from __future__ import annotations

from functools import lru_cache

from litestar import Response, get
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import HTML, says

REGISTRY = CollectorRegistry()

REQUESTS = Histogram(
    "jupyterhub_request_duration_seconds",
    "How long requests took",
    ["method", "handler", "code"],
    registry=REGISTRY,
)
RUNNING = Gauge("jupyterhub_running_servers", "Servers that run", registry=REGISTRY)
USERS = Gauge("jupyterhub_total_users", "Users there are", registry=REGISTRY)


def count_request(method: str, handler: str, status: int, seconds: float) -> None:
    """One request has been answered."""
    _request_series(method, handler, status).observe(seconds)


@lru_cache(4096)
def _request_series(method: str, handler: str, status: int) -> Histogram:
    return REQUESTS.labels(method, handler, str(status))


@get("/hub/metrics", guards=[needs("read:metrics")], opt=says({200: "text/plain", 403: HTML}))
async def metrics(request: HubRequest) -> Response[bytes]:
    """All figures, in Prometheus' text format."""
    users, running = await request.hub.views.count_all()
    USERS.set(users)
    RUNNING.set(running)
    return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4; charset=utf-8")
