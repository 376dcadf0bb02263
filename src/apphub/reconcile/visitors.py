"""Take passes back as soon as anything that let their holders in has changed.

Woken by every change of rights (a sign-out, a share that ends, a group that is lost, a user who
is deleted), and when passes run out: a share that ends by itself needs no word for requests,
since no pass outlives it, but what its guest has open is to end too. What is looked at are the
passes of those who may still have something open, never all users.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog
from msgspec import Struct

from apphub.db import Database
from apphub.db.changes import ENDED, RIGHTS, heard
from apphub.kit import clock
from apphub.passes import Passes
from apphub.proxy.base import DataPlane

log = structlog.get_logger(__name__)

#: Changes that come together are looked at together (seconds); far below the two that are promised.
TOGETHER = 0.1
#: Passes that run out are looked at together (seconds).
SETTLED = 5.0
#: Between two looks at which pass ends next (seconds); below the minute that the shortest share lasts.
LOOK = 15.0


class VisitorReview(Struct, frozen=True):
    """The loop that reviews passes."""

    db: Database
    passes: Passes
    plane: DataPlane

    async def tell_ended(self) -> None:
        """Keep the edges told whose open streams must end, whichever replica found out, until cancelled."""
        with self.db.changes.listen(ENDED) as news:
            while True:
                news.clear()
                self.plane.end_streams(await self.passes.ended())
                await news.wait()

    async def run(self) -> None:
        """Review until cancelled."""
        with self.db.changes.listen(RIGHTS) as news:
            while True:
                news.clear()
                begun = clock.now()
                await self._review()
                if await self._wait(news, begun):
                    await asyncio.sleep(TOGETHER)

    async def _review(self) -> None:
        denied = await self.passes.review()
        if denied:
            log.info("passes.denied", passes=denied)

    async def _wait(self, news: asyncio.Event, begun: datetime) -> bool:
        """Until rights change (True) or a pass runs out; it may have done so since the review began.

        Nobody tells of passes that are made: this looks when the next one ends.
        """
        while True:
            left = await self.passes.next_end(begun)
            pause = None if left is None else max(left.total_seconds(), 0) + SETTLED
            if await heard(news, LOOK if pause is None else min(pause, LOOK)):
                return True
            if pause is not None and pause <= LOOK:
                return False
