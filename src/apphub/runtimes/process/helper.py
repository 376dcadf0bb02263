"""The helper as something that is always there: started when needed, and again when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from apphub.errors import Unavailable
from apphub.runtimes.base import AddressTaken, LaunchFailed
from apphub.runtimes.process.link import Link, LinkLost, Message, Refusal

log = structlog.get_logger(__name__)

#: Seconds before each new try; the last one repeats.
_AGAIN = (0.0, 0.1, 0.5, 2.0, 5.0)
_KINDS = {"failed": LaunchFailed, "taken": AddressTaken}


class Helper:
    """Asks the helper of the moment.

    `on_event` gets its events; `on_begin` the list of all objects, from each new helper before
    anything else is asked of it.
    """

    def __init__(
        self,
        arguments: tuple[str, ...],
        on_event: Callable[[Message], None],
        on_begin: Callable[[list[Message]], None],
    ) -> None:
        self._arguments = arguments
        self._on_event = on_event
        self._on_begin = on_begin
        self._link: Link | None = None
        self._beginning: asyncio.Task[Link] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Its process id, while there is one."""
        return self._link.pid if self._link is not None and not self._link.lost else None

    async def ready(self) -> Link:
        """The helper, started if need be."""
        if self._link is not None and not self._link.lost and not self._closed:
            return self._link
        if self._closed:
            raise Unavailable("The process runtime is closed.")
        if self._beginning is None or self._beginning.done():
            self._beginning = asyncio.create_task(self._begin(), name="process helper begins")
            self._beginning.add_done_callback(_seen)
        # Shielded: one caller who gives up must not leave half a helper to the others.
        return await asyncio.shield(self._beginning)

    async def ask(self, do: str, *, then: Callable[[Any], Any] | None = None, **fields: Any) -> Any:
        """The answer to a request. Raises `LaunchFailed`, `AddressTaken` or `Unavailable`.

        Asks once more when the helper dies meanwhile: every request may be repeated.
        """
        try:
            try:
                return await (await self.ready()).ask(do, then, fields)
            except LinkLost:
                return await (await self.ready()).ask(do, then, fields)
        except LinkLost:
            raise Unavailable("The helper that starts processes keeps ending.") from None
        except Refusal as refusal:
            raise _KINDS.get(refusal.kind, Unavailable)(refusal.message, refusal.advice) from None

    async def close(self) -> None:
        """Let it end."""
        self._closed = True
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        if self._beginning is not None:
            await asyncio.wait([self._beginning])
        if self._link is not None:
            await self._link.close()

    async def _begin(self) -> Link:
        link = await Link.open(self._arguments, self._on_event, self._lost)
        try:
            await link.ask("list", self._on_begin, {})
        except BaseException:
            await link.close()
            raise
        self._link = link
        return link

    def _lost(self, link: Link) -> None:
        if not self._closed and link is self._link:
            log.warning("process.helper_lost", pid=link.pid)
            self._recovery = asyncio.create_task(self._recover(), name="process helper again")

    async def _recover(self) -> None:
        """Start another one at once: exits must be noticed also while nobody asks."""
        pauses, pause = iter(_AGAIN), 0.0
        while not self._closed:
            pause = next(pauses, pause)
            await asyncio.sleep(pause)
            try:
                await self.ready()
            except (Unavailable, LinkLost, Refusal, OSError) as error:
                log.warning("process.helper_failed", error=str(error) or type(error).__name__)
            else:
                return


def _seen(task: asyncio.Task[Link]) -> None:
    if not task.cancelled():
        task.exception()  # told to whoever waited, if anybody still did
