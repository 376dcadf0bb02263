"""What the hub counts about itself: `/hub/metrics`, in Prometheus' text format."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from functools import lru_cache

from litestar import Response, get
from prometheus_client import Histogram, generate_latest

from apphub.kit import clock, metrics
from apphub.people import groups as groups_store
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import HTML, says

#: Memberships told at most: each is a series, and Prometheus pays for it.
MOST_MEMBERS = 20_000

#: Dashboards leave this handler out: it lasts as long as a start does.
_PROGRESS = "jupyterhub.apihandlers.users.SpawnProgressAPIHandler"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(method: str, handler: str, status: int, seconds: float) -> None:
    """One request has been answered."""
    _request_series(method, handler, status).observe(seconds)


@lru_cache(4096)
def _request_series(method: str, handler: str, status: int) -> Histogram:
    known = method if method in _METHODS else "OTHER"
    series = metrics.REQUESTS.labels(
        known, _PROGRESS if handler.endswith("/progress") else handler, str(status)
    )
    assert isinstance(series, Histogram)
    return series


def safe_name(name: str) -> str:
    """A user's name as labels of Kubernetes take it (KubeSpawner's "safe" scheme)."""
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name) and "--" not in name:
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    plain = (plain if plain[:1].isalpha() else f"x-{plain}")[:21].rstrip("-")
    return f"{plain}---{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def escaped_name(name: str) -> str:
    """A user's name as older KubeSpawners made it: what is no letter or digit becomes `-` and its bytes."""
    return "".join(
        sign if sign.isascii() and (sign.islower() or sign.isdigit()) else _bytes(sign) for sign in name
    )


def _bytes(sign: str) -> str:
    return "".join(f"-{byte:x}" for byte in sign.encode())


@get("/hub/metrics", guards=[needs("read:metrics")], opt=says({200: "text/plain", 403: HTML}))
async def figures(request: HubRequest) -> Response[bytes]:
    """All figures, in Prometheus' text format."""
    hub, now = request.hub, clock.now()
    users, running = await hub.views.count_all()
    metrics.USERS.set(users)
    metrics.RUNNING.set(running)
    since = [now - timedelta(days=days) for days in metrics.PERIODS.values()]
    for period, count in zip(metrics.PERIODS, await hub.views.count_active(since), strict=True):
        metrics.ACTIVE.labels(period).set(count)
    async with hub.db.read() as tx:
        members = await groups_store.list_memberships(tx, MOST_MEMBERS)
    metrics.MEMBERS.clear()
    for group, user in members:
        metrics.MEMBERS.labels(group, user, safe_name(user), escaped_name(user)).set(1)
    text = generate_latest(metrics.REGISTRY)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
