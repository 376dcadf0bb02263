"""Take passes back as soon as anything that let their holders in has changed.

Woken by every change of rights (a sign-out, a share that ends, a group that is lost, a user who
is deleted); what is looked at are the passes that count now, never all users. What ends by
itself (a share with an end, a sign-in) needs no word: no pass lives longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from apphub.db import Database
from apphub.db.changes import RIGHTS
from apphub.passes import Passes
from apphub.reconcile.routes import Publisher

log = structlog.get_logger(__name__)

#: Changes that come together are looked at together (seconds); far below the two that are promised.
TOGETHER = 0.1


@dataclass(frozen=True, slots=True)
class VisitorReview:
    """The loop that reviews passes."""

    db: Database
    passes: Passes
    publisher: Publisher

    async def run(self) -> None:
        """Review until cancelled."""
        with self.db.changes.listen(RIGHTS) as news:
            while True:
                news.clear()
                owners = await self.passes.review()
                if owners:
                    log.info("passes.denied", owners=len(owners))
                    self.publisher.changed(owners)
                await news.wait()
                await asyncio.sleep(TOGETHER)
