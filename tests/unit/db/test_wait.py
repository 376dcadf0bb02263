"""A hub that starts before its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from apphub.db import DatabaseAway, once_there, wait
from apphub.db.engine import DatabaseUnusable


class Opening:
    """Fails so many times, and says what became of it."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.left = failures
        self.error = error or DatabaseAway()
        self.error.__cause__ = ConnectionRefusedError("refused")
        self.told: list[str] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[str]:
        self.told.append("begun")
        try:
            if self.left:
                self.left -= 1
                raise self.error
            yield "a hub"
        finally:
            self.told.append("ended")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "AGAIN", 0.001)


async def test_it_is_tried_until_it_is_there_and_each_try_is_cleared_away() -> None:
    opening = Opening(3)
    async with once_there(opening, asyncio.Event()) as hub:
        assert hub == "a hub"
        assert opening.told == ["begun", "ended"] * 3 + ["begun"]
    assert opening.told[-1] == "ended"


async def test_it_ends_in_words_after_a_while() -> None:
    with pytest.raises(DatabaseUnusable, match=r"does not answer: refused\. Look at its URL"):
        async with once_there(Opening(10_000), asyncio.Event(), patience=0.05):
            pytest.fail("nothing was there")


async def test_it_ends_when_the_hub_is_to_stop() -> None:
    stopping = asyncio.Event()
    stopping.set()
    opening = Opening(10_000)
    with pytest.raises(DatabaseUnusable):
        async with once_there(opening, stopping):
            pytest.fail("nothing was there")
    assert opening.told == ["begun", "ended"]


async def test_other_errors_are_not_waited_for_nor_those_of_its_use() -> None:
    opening = Opening(1, DatabaseUnusable("The role is unknown."))
    with pytest.raises(DatabaseUnusable, match="unknown"):
        async with once_there(opening, asyncio.Event()):
            pytest.fail("nothing was there")
    used = Opening(0)
    with pytest.raises(DatabaseAway):
        async with once_there(used, asyncio.Event()):
            raise DatabaseAway
    assert used.told == ["begun", "ended"]
