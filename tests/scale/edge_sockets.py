"""Websocket messages through the edge and through proxies that know no rules: what of them is the way itself.

Of a message's cost nearly all is the kernel's, for any proxy: it takes two reads and two writes there and back. So
beside configurable-http-proxy stand nginx with no rules at all, as far as a proxy can go, and the app without any.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from edge_visits import USER, serving
from guarding import start
from loads import Way, chp_to, cores, on, program
from rawhttp import ws_echo

from hubs import free_port

CONNECTIONS = 32

NGINX = """
daemon off; master_process off; worker_processes 1;
error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{app};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
  }}
}}
"""


async def echoes(url: str, seconds: int, at: set[int], *_: str) -> tuple[int, float]:
    """How many messages of 64 bytes came back over 32 websockets, one on its way on each, and the seconds it took."""
    with on(at):
        found = await ws_echo(url, None, "", CONNECTIONS, seconds)
    assert not found["errors"], found
    return found["n"], seconds


async def measured(rounds: int, seconds: int) -> dict[str, Way]:
    """Every way to the app, one after the other in each round; all of them have the whole machine."""
    everywhere, _ = cores(apart=False)
    with serving(apart=False) as hub:
        await asyncio.to_thread(start, hub, USER, "open", profile="open")
        path = f"user/{USER}/open/bench/"
        app = httpx.get(f"{hub.url}{path}info").json()
        assert hub.edge_pid is not None
        ways = {
            "the app itself": Way(f"http://127.0.0.1:{app['port']}/{path}ws", app["pid"]),
            "edge, open": Way(f"{hub.url}{path}ws", hub.edge_pid),
        }
        async with contextlib.AsyncExitStack() as stack:
            for name, proxy in (("chp", chp_to), ("nginx", _nginx)):
                if (found := await stack.enter_async_context(proxy(app["port"], everywhere))) is not None:
                    pid, port = found
                    ways[name] = Way(f"http://127.0.0.1:{port}/{path}ws", pid)
            for way in ways.values():
                await way.run(1, everywhere, echoes)  # compiles what node compiles
                way.forget()
            for _ in range(rounds):
                for way in ways.values():
                    await way.run(seconds, everywhere, echoes)
    return ways


@contextlib.asynccontextmanager
async def _nginx(app: int, at: set[int]) -> AsyncIterator[tuple[int, int] | None]:
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        yield None
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "nginx.conf")
        conf.write_text(NGINX.format(folder=folder, port=port, app=app))
        async with program("nginx", "-p", folder, "-c", str(conf), at=at, port=port) as pid:
            yield pid, port
