"""Do a request once, and answer it again as often as it is sent again.

The answer is written in the transaction of what the request does: both are there, or neither. A
start goes on after its transaction, so it is written as accepted (202) and then as it went: should
the hub die in between, "accepted" is what is told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from msgspec import Struct

from apphub.db import Database
from apphub.errors import Conflict
from apphub.idempotency import store
from apphub.idempotency.model import KEPT, Answered, Asked, OtherRequest, UnderWay
from apphub.kit import clock


class Keeping(Struct, frozen=True):
    """Requests with a key."""

    db: Database

    async def earlier(self, asked: Asked) -> Answered | None:
        """How the first request with this key was answered; None when this is the first.

        Raises `UnderWay` and `OtherRequest`.
        """
        now = clock.now()
        async with self.db.read() as tx:
            row = await store.find(tx, asked.digest, now)
        if row is None:
            return None
        body, status, answer, busy_until = row
        if body != asked.body:
            raise OtherRequest
        if busy_until is not None and busy_until > now:
            raise UnderWay
        return Answered(status, answer)

    async def once(self, asked: Asked, do: Callable[[], Awaitable[Answered]]) -> Answered:
        """Do it, and note its answer with it. What raises has done nothing and is not noted."""
        async with self._alone(asked), self.db.as_one() as tx:
            answered = await do()
            now = clock.now()
            await store.insert(tx, asked, answered, busy_until=None, now=now, expires=now + KEPT)
        return answered

    @asynccontextmanager
    async def accepting(self, asked: Asked, busy: timedelta) -> AsyncGenerator[None]:
        """What the block does is noted with it as accepted, and as under way for as long as it may be."""
        async with self._alone(asked), self.db.as_one() as tx:
            yield
            now = clock.now()
            await store.insert(
                tx, asked, Answered(202, ""), busy_until=now + busy, now=now, expires=now + KEPT
            )

    async def went(self, asked: Asked, answered: Answered) -> None:
        """How it went in the end."""
        async with self.db.write() as tx:
            await store.update(tx, asked.digest, answered)

    async def forget_expired(self) -> None:
        """Forget what was kept long enough, a batch at a time."""
        while True:
            async with self.db.write() as tx:
                if await store.delete_expired(tx, clock.now()) < store.BATCH:
                    return

    @asynccontextmanager
    async def _alone(self, asked: Asked) -> AsyncGenerator[None]:
        """Of two at the same moment the second is told that the first is under way."""
        try:
            yield
        except Conflict:
            if await self._is_there(asked):
                raise UnderWay from None
            raise

    async def _is_there(self, asked: Asked) -> bool:
        async with self.db.read() as tx:
            return await store.find(tx, asked.digest, clock.now()) is not None
