"""The connection to the helper, seen from the hub's event loop.

It carries requests with numbered answers, and events. It never heals itself: when the helper
is gone, everything that waits gets `LinkLost`, and the driver opens another one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import json

from apphub.errors import Unavailable

Message = dict[str, Any]

#: Longest answer: the list of all objects, some 400 bytes each.
_LINE_LIMIT = 1 << 28
#: Seconds a helper may take to begin, or to end once its socket has.
_PATIENCE = 15.0
_PACKAGES = Path(__file__).parents[3]
#: Packages are looked for behind the standard library, so that none can stand in for a part of it.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); from apphub.runtimes.process.spawner import main; main()"
)


class LinkLost(Exception):
    """The helper is gone; whether it did what it was asked is unknown."""


class Refusal(Exception):
    """The helper did not do what it was asked: `kind` is `failed`, `taken` or `busy`."""

    def __init__(self, kind: str, message: str, advice: str | None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice


class Link:
    """One running helper."""

    def __init__(
        self,
        helper: subprocess.Popen[bytes],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        on_event: Callable[[Message], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        self._helper = helper
        self._reader, self._writer = streams
        self._on_event = on_event
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[Any], Callable[[Any], Any] | None]] = {}
        #: Set once the helper is gone.
        self.lost = False
        self._task = asyncio.create_task(self._listen(), name="process helper")

    @property
    def pid(self) -> int:
        """The helper's process id."""
        return self._helper.pid

    @classmethod
    async def open(
        cls,
        arguments: tuple[str, ...],
        on_event: Callable[[Message], None],
        on_lost: Callable[[Link], None],
    ) -> Link:
        """Start a helper and wait until it listens."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                helper = await asyncio.to_thread(_start, theirs, arguments)
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT)
        except BaseException:
            ours.close()
            raise
        try:
            async with asyncio.timeout(_PATIENCE):
                begun = await reader.readline()
        except TimeoutError:
            begun = b""
        except BaseException:
            writer.close()
            await asyncio.to_thread(_bury, helper)
            raise
        if not begun:
            writer.close()
            await asyncio.to_thread(_bury, helper)
            raise Unavailable(
                "The helper that starts processes does not begin.", "Its error output says why."
            )
        return cls(helper, (reader, writer), on_event, on_lost)

    async def ask(self, do: str, then: Callable[[Any], Any] | None, fields: dict[str, Any]) -> Any:
        """Its answer to one request. Raises `LinkLost` or `Refusal`.

        `then` turns the answer into what is returned, before any later event is told: an
        answer taken up later could bring back what an event has ended.
        """
        if self.lost:
            raise LinkLost
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer, then
        try:
            self._writer.write(json.encode({"id": number, "do": do, "fields": fields}) + b"\n")
            await self._writer.drain()
            return await answer
        except ConnectionError:
            # Known here before the listener knows it. Whoever tries again must find `lost` set.
            await asyncio.wait([self._task])
            raise LinkLost from None
        finally:
            self._waiting.pop(number, None)
            # An answer that nobody takes any more must not be reported as forgotten.
            if answer.done() and not answer.cancelled():
                answer.exception()

    async def close(self) -> None:
        """Let the helper end (servers go on) and wait for that."""
        self._on_lost = lambda _: None
        self._writer.close()
        await asyncio.wait([self._task], timeout=_PATIENCE)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._dispatch(json.decode(line))
        except (ConnectionError, ValueError):
            pass  # cut off in the middle of a line
        finally:
            self.lost = True
            for answer, _ in self._waiting.values():
                if not answer.done():
                    answer.set_exception(LinkLost())
            self._writer.close()
            await asyncio.to_thread(_bury, self._helper)
        self._on_lost(self)

    def _dispatch(self, message: Message) -> None:
        if "event" in message:
            self._on_event(message)
        if "id" not in message:
            return
        answer, then = self._waiting.get(message["id"], (None, None))
        if answer is None or answer.done():
            return
        refused = message.get("refused")
        if refused is not None:
            answer.set_exception(Refusal(refused["kind"], refused["message"], refused["advice"]))
        else:
            answer.set_result(then(message["ok"]) if then else message["ok"])


def _start(theirs: socket.socket, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    # Isolated, without site packages: it imports in 30 ms and stays small enough to fork fast.
    # Nothing of the hub's environment, which may hold secrets, but what the interpreter may need to load.
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, os.fspath(_PACKAGES), *arguments],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        cwd="/",
        env=env,
        start_new_session=True,
    )


def _bury(helper: subprocess.Popen[bytes]) -> None:
    """Wait for a helper whose socket has ended; by force when it does not end."""
    try:
        helper.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()
