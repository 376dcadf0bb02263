"""A hub with its pages, in this process: no edge in front, and no server that could start.

Its only profiles name a program that does not exist, or nothing anybody may start, so that every
start fails with a reason and nothing is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from apphub.access.actor import Actor
from apphub.app import build_app, server_door
from apphub.audit import By
from apphub.hub import Hub, open_hub
from apphub.servers.model import Ask, Server, ServerKey
from apphub.settings import Settings
from fakes.planes import MemoryPlane

ORIGIN = "http://hub.example"
PASSWORD = "a password for tests"
BY = By("user:admin", address="192.0.2.7", request_id="r1")
PROFILES = [
    {
        "slug": "app",
        "display_name": "An app",
        "groups": "everyone",
        "default": True,
        "command": ["/nowhere/app"],
        "options": {"size": {"type": "integer", "default": 2}},
    },
    {"slug": "lab", "groups": ["geo", "sea"], "command": ["/nowhere/lab"]},
    {"slug": "new", "groups": [], "command": ["/nowhere/new"]},
]


@dataclass(frozen=True)
class Site:
    """The hub, and its web application below `/apps/`."""

    hub: Hub
    app: Any

    @asynccontextmanager
    async def visit(self, name: str = "", *, language: str = "en") -> AsyncGenerator[httpx.AsyncClient]:
        """A browser: it holds cookies and follows no redirect; `name` has signed in."""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=ORIGIN,
            headers={"accept-language": language, "accept": "text/html"},
            timeout=60,
        ) as browser:
            await browser.get("/apps/hub/login")
            if name:
                answer = await send(browser, "/apps/hub/login", username=name, password=PASSWORD)
                assert answer.status_code == 302, answer.text
            yield browser

    async def meet(self, *names: str) -> None:
        """Somebody signs in for the first time, which makes their account."""
        for name in names:
            async with self.visit(name):
                pass

    async def actor(self, name: str) -> Actor:
        """A person with all of their rights."""
        found = await self.hub.access.owner(name)
        assert found is not None, name
        return found

    async def failed(self, user: str, name: str = "") -> Server:
        """A server whose start has failed."""
        server = await self.hub.servers.start(BY, ServerKey(user, name), Ask())
        over = await self.hub.servers.settled(
            server.id, lambda row: row is not None and row.failed, self.hub.settings.timeouts.start
        )
        assert over is not None
        assert over.failed
        return over


async def send(browser: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send a form as one of the hub's own pages does."""
    data = {"_xsrf": browser.cookies.get("_xsrf") or "", **fields}
    return await browser.post(path, data=data, headers={"origin": ORIGIN})


@asynccontextmanager
async def open_site(folder: Path, **values: Any) -> AsyncGenerator[Site]:
    """A site with the people admin, ada and bob."""
    settings = Settings.model_validate(
        {
            "base_url": "/apps/",
            "data_dir": folder,
            "login": {
                "password": {"enabled": False},
                "shared_password": {"password": PASSWORD},
                "admins": ["admin"],
            },
            "groups": {"geo": {"members": ["ada", "bob"]}},
            "profiles": PROFILES,
            **values,
        }
    )
    folder.mkdir(exist_ok=True)
    async with open_hub(settings, "http://127.0.0.1:9", MemoryPlane(), asyncio.Event()) as hub:
        yield Site(hub, server_door(build_app(hub), hub))
