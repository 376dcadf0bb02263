"""Begin with a database that may not be there yet: one that starts beside the hub, or is restarted just then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

import structlog

from apphub.db.engine import DatabaseAway, DatabaseUnusable

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Seconds that a hub waits for its database when it starts; whoever watches over it starts it again.
PATIENCE = 60.0
#: Seconds between two tries, and between two words about it.
AGAIN, SAY = 0.5, 5.0


@asynccontextmanager
async def once_there(
    begin: Callable[[], AbstractAsyncContextManager[T]],
    stopping: asyncio.Event,
    patience: float = PATIENCE,
) -> AsyncGenerator[T]:
    """What `begin` opens, which is tried again while the database does not answer.

    Raises `DatabaseUnusable` after so many seconds, or when the hub is to stop.
    """
    async with AsyncExitStack() as stack:
        yield await _begun(stack, begin, stopping, patience)


async def _begun(
    stack: AsyncExitStack,
    begin: Callable[[], AbstractAsyncContextManager[T]],
    stopping: asyncio.Event,
    patience: float,
) -> T:
    start = said = time.monotonic()
    said -= SAY
    while True:
        try:
            return await stack.enter_async_context(begin())
        except DatabaseAway as error:
            cause, now = error.__cause__ or error, time.monotonic()
            if stopping.is_set() or now - start > patience:
                raise DatabaseUnusable(
                    f"The database does not answer: {cause}.", "Look at its URL, and whether it runs."
                ) from error
            if now - said >= SAY:
                log.warning("database.awaited", error=str(cause), seconds=round(now - start))
                said = now
        await asyncio.sleep(AGAIN)
