"""What many tasks ask for at the same moment, done as one.

    find = Together(db, find_all)       # async (asks) -> answers, in their order
    server = await find(7)

A task asks for its own thing and waits for its own answer; what is asked while the database is
busy with others is asked of it in one go after that. So nobody waits for company, and under
load a round trip, a transaction and a commit serve many. What is asked within a transaction
is done there: it sees what that one wrote, and is undone with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from apphub.db.engine import Database, DatabaseAway

A = TypeVar("A")
B = TypeVar("B")


class Together(Generic[A, B]):
    """One kind of thing that is asked for; `work` does many of them, at most so many at once.

    What fails is tried again one by one, so that each has the error that is its own; a transaction
    of many must therefore do nothing when it fails.
    """

    def __init__(
        self, db: Database, work: Callable[[Sequence[A]], Awaitable[Sequence[B]]], most: int = 100
    ) -> None:
        self._db = db
        self._work = work
        self._most = most
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, ask: A) -> B:
        """The answer to this one."""
        if self._db.joined:
            return (await self._work([ask]))[0]
        answer: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        if self._task is None:
            # In no context: it serves others than who begins it, and is part of nobody's transaction.
            self._task = asyncio.create_task(self._serve(), context=Context())
        return await answer

    async def _serve(self) -> None:
        try:
            while self._waiting:
                part, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._answer([(ask, answer) for ask, answer in part if not answer.done()])
        finally:
            self._task = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _answer(self, part: list[tuple[A, asyncio.Future[B]]]) -> None:
        try:
            found = await self._work([ask for ask, _ in part])
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            if len(part) > 1 and not isinstance(error, DatabaseAway):
                for one in part:
                    await self._answer([one])
                return
            for _, waiting in part:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        except BaseException:
            for _, waiting in part:
                waiting.cancel()
            raise
        for (_, waiting), answer in zip(part, found, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
