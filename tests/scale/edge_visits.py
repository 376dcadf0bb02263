"""Requests through the edge of a real hub: what the guard costs, against the same app without it.

Everything as it is served: `apphub serve` on SQLite with the process runtime, one app started twice, once with
`auth: edge` and once without, and a visitor who signed in and holds the pass that the hub made.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from guarding import let_in, questions, start
from loads import Way, chp_to, cores, on, pin, tiny_app

from hubs import TRIAL, RunningHub

USER = "ada"


def settings(app: Path, services: int = 0) -> dict[str, Any]:
    """A hub with one app, guarded and not, and so many routes besides."""
    serve = ["/usr/bin/env", "JUPYTERHUB_SERVICE_URL=http://{ip}:{port}{prefix}", str(app)]
    profile = {"command": serve, "groups": "everyone"}
    return {
        **TRIAL,
        "profiles": [{"slug": "guarded", **profile}, {"slug": "open", "auth": "hub", **profile}],
        "services": [
            {"name": f"s{i}", "url": "http://127.0.0.1:9", "display": False} for i in range(services)
        ],
    }


@contextlib.contextmanager
def serving(services: int = 0, *, apart: bool = True) -> Iterator[RunningHub]:
    """The hub, its edge alone on the first core where proxies and load are to be kept apart."""
    proxy, rest = cores(apart)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        # Alone on a core an edge has one worker.
        with on(proxy):
            hub = stack.enter_context(RunningHub(settings(tiny_app(Path(folder)), services)))
        pin(hub.pid, rest)
        yield hub


def visitor(browser: httpx.Client, path: str) -> str:
    """The header with all cookies that a browser sends there."""
    held = browser.build_request("GET", path).headers["cookie"]
    assert "apphub-pass=" in held
    return f"Cookie: {held}"


async def measured(rounds: int, seconds: int, *, apart: bool) -> dict[str, Way]:
    """Every way to the app, one after the other in each round."""
    proxy, rest = cores(apart)
    with serving(apart=apart) as hub:
        for profile in ("guarded", "open"):
            await asyncio.to_thread(start, hub, USER, profile, profile=profile)
        for pid in hub.server_pids():
            pin(pid, rest)
        edge = hub.edge_pid
        assert edge is not None
        guarded, free = (f"{hub.url}user/{USER}/{name}/" for name in ("guarded", "open"))
        with hub.sign_in(USER) as browser:
            let_in(browser, guarded)
            cookies = visitor(browser, guarded)
        ways = {
            "open": Way(free, edge),
            "open, with the cookies": Way(free, edge, (cookies,)),
            "guarded": Way(guarded, edge, (cookies,)),
        }
        async with contextlib.AsyncExitStack() as stack:
            app = httpx.get(f"{free}bench/info").json()["port"]
            if (found := await stack.enter_async_context(chp_to(app, proxy))) is not None:
                pid, port = found
                ways["chp"] = Way(f"http://127.0.0.1:{port}/user/{USER}/open/", pid)
            for way in ways.values():
                await way.run(1, rest)  # fills caches
                way.forget()
            asked = questions(hub)
            for _ in range(rounds):
                for way in ways.values():
                    await way.run(seconds, rest)
            # The pass ends after some minutes, and the next request is a question then.
            assert questions(hub) - asked <= 64, "the edge had to ask"
    return ways


def changes(routes: int, times: int) -> list[float]:
    """Milliseconds that the hub itself counts from a decision to the acknowledgement, with so many routes."""
    took = []
    with serving(routes) as hub:
        for _ in range(times):
            before = _published(hub)
            start(hub, USER, profile="open")
            between = _published(hub)
            assert hub.ask("DELETE", f"users/{USER}/server").status_code in (202, 204)
            after = _published(hub)
            took += [(b - a) * 1000 for a, b in ((before, between), (between, after))]
    return took


def _published(hub: RunningHub) -> float:
    """Seconds of all publishing so far."""
    with hub.client(hub.token) as client:
        text = client.get("hub/metrics").text
    sums = re.findall(r"^jupyterhub_proxy_(?:add|delete)_duration_seconds_sum\{[^}]*\} (\S+)", text, re.M)
    return sum(map(float, sums))
