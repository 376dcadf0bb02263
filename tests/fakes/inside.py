"""A whole hub inside the test's own process: every domain, door and loop, and a data plane without an edge.

Requests go straight into the web application, as the edge would send them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from apphub.access.actor import Actor
from apphub.app import build_app, edge_door
from apphub.audit import By
from apphub.hub import Hub, open_hub
from fakes.people import settings_of
from fakes.planes import MemoryPlane

BY = By("test")
ORIGIN = "http://hub.example"


@dataclass(frozen=True, slots=True)
class Inside:
    """The hub, and a way to send it requests."""

    hub: Hub
    plane: MemoryPlane
    client: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, *, token: str | None = None, body: Any = None, **how: Any
    ) -> httpx.Response:
        """One request; `body` is sent as JSON. Cookies are only those given."""
        headers = {"authorization": f"token {token}"} if token is not None else {}
        content = None
        if body is not None:
            content, headers["content-type"] = json.dumps(body).encode(), "application/json"
        headers |= how.pop("headers", {})
        self.client.cookies.clear()
        return await self.client.request(method, path, headers=headers, content=content, **how)

    async def actor(self, name: str = "root") -> Actor:
        """Somebody with all of their own rights."""
        found = await self.hub.access.owner(name)
        assert found is not None, name
        return found

    async def token(self, name: str = "root", *scopes: str) -> str:
        """A token of somebody: with all their rights, or just these scopes."""
        made = await self.hub.access.create_token(
            await self.actor(name), BY, name, scopes=scopes or None, note="test", life=None
        )
        return made.secret


@asynccontextmanager
async def open_inside(data_dir: Path, **values: Any) -> AsyncGenerator[Inside]:
    """A hub whose loops run, with its data in this folder and these settings."""
    quick = {"slow_spawn": "0s", "slow_stop": "0s", "stop": "1s"}
    settings = settings_of(**{"data_dir": str(data_dir), "timeouts": quick, **values})
    plane = MemoryPlane()
    async with open_hub(settings, "http://127.0.0.1:8081", plane, asyncio.Event()) as hub:
        door = edge_door(build_app(hub), hub)
        transport = httpx.ASGITransport(app=door, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield Inside(hub, plane, client)
