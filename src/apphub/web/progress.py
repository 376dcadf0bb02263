"""Progress of a start as server-sent events (WHATWG HTML, section 9.2).

It is read from rows, so that it can be opened at any time, by anybody, from any replica, and
begun again after a break; it ends once the server is ready or has failed.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from litestar.response import Stream

from apphub.admission import Spot
from apphub.db.changes import heard, server_topic
from apphub.hub import Hub
from apphub.servers.model import Server

#: A blank line keeps the connection open, this often (seconds).
KEEP_ALIVE = 8.0
#: How often the rows are looked at without news (seconds), and how much output `detail` shows (bytes).
LOOK, TAIL = 1.0, 8000


def as_it_is(text: str) -> str:
    """The text: programs are told what rows say."""
    return text


def stream(
    hub: Hub,
    server: Server,
    *,
    detail: bool = False,
    goal: str | None = None,
    say: Callable[[str], str] = as_it_is,
    say_part: Callable[[str], str] = as_it_is,
) -> Stream:
    """The answer that tells; with `detail` also the server's latest output, `goal` is where to go when ready.

    `say` translates what is told, `say_part` what a start waits for.
    """
    return Stream(
        _tell(hub, server, detail, goal, say, say_part),
        media_type="text/event-stream",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )


def ready_event(hub: Hub, server: Server, goal: str | None) -> dict[str, Any]:
    """The last event of a start that went well."""
    url = goal or hub.urls.server(*server.key)
    shown = html.escape(url)
    return {
        "progress": 100,
        "ready": True,
        "message": f"Server ready at {url}",
        "html_message": f'Server ready at <a href="{shown}">{shown}</a>',
        "url": url,
    }


def failed_event(server: Server) -> dict[str, Any]:
    """The last event of a start that did not go well."""
    return {"progress": 100, "failed": True, "message": server.reason or "The server was stopped."}


def waiting_event(spot: Spot, say_part: Callable[[str], str]) -> dict[str, Any]:
    """Where a start stands that has to wait; told again whenever that changes."""
    queue = {"position": spot.position, "estimate": spot.estimate, "waits_for": say_part(spot.waits_for)}
    return {"progress": 0, "message": spot.words, "queue": queue}


async def _tell(
    hub: Hub,
    server: Server,
    detail: bool,
    goal: str | None,
    say: Callable[[str], str],
    say_part: Callable[[str], str],
) -> AsyncGenerator[bytes]:
    last, output = 0, ""
    spot: Spot | None = None
    clock = asyncio.get_running_loop().time
    spoken = clock()
    with hub.db.changes.listen(server_topic(server.id)) as news:
        while True:
            news.clear()
            current = await hub.servers.find_by_id(server.id)
            if current is None or current.attempt != server.attempt:
                yield _frame(_said(failed_event(server), say))
                return
            frames, last = await _new_events(hub, current, last, say)
            if (stands := await _spot(hub, current)) is not None and stands != spot:
                frames.append(_frame(_said(waiting_event(stands, say_part), say)))
            spot = stands
            if detail and (tail := await _output(hub, current)) != output:
                output = tail
                frames.append(_frame({"log": output}))
            over = current.ready or not current.active
            if over:
                end = ready_event(hub, current, goal) if current.ready else failed_event(current)
                frames.append(_frame(_said(end, say)))
            if frames or clock() - spoken > KEEP_ALIVE:
                spoken = clock()
                yield b"".join(frames) or b"\n\n"
            if over or hub.stopping.is_set():  # another hub, or the next one, tells the rest
                return
            await heard(news, LOOK)


def _said(event: dict[str, Any], say: Callable[[str], str]) -> dict[str, Any]:
    return {**event, "message": say(event["message"])}


async def _spot(hub: Hub, server: Server) -> Spot | None:
    return (await hub.admission.spots_of([server])).get(server.id)


async def _new_events(
    hub: Hub, server: Server, last: int, say: Callable[[str], str]
) -> tuple[list[bytes], int]:
    if server.ready and last == 0:
        return [], 0  # it has been ready all along: what led there is of no interest
    events = await hub.servers.events(server, last)
    frames = [_frame({"progress": event.progress, "message": say(event.message)}) for event in events]
    return frames, events[-1].id if events else last


async def _output(hub: Hub, server: Server) -> str:
    return await hub.logs.tail(server, TAIL)


def _frame(event: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(event) + b"\n\n"
