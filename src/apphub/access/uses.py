"""When credentials, and by them people, were last used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apphub.access import store
from apphub.access.actor import Actor
from apphub.db import Database
from apphub.db.together import Together


class Uses:
    """Writes those of one moment together."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._together = Together(db, self._write)

    async def note(self, actor: Actor, now: datetime) -> None:
        """This credential is used now."""
        await self._together((actor.token_id, actor.user_id, now))

    async def _write(self, uses: Sequence[tuple[int | None, int | None, datetime]]) -> Sequence[None]:
        tokens = {token for token, _, _ in uses if token is not None}
        people = {person for _, person, _ in uses if person is not None}
        async with self._db.write() as tx:
            await store.note_uses(tx, tokens, people, max(now for _, _, now in uses))
        return [None] * len(uses)
