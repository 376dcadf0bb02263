"""What steps have come to, recorded: under the lease that each was done under, many in one transaction.

Servers that start together come to the same step at about the same time. What each has come to
is a value; what is there when the database has time for the next is written as one transaction,
so a hundred starts cost a few commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from apphub.access import store as access_store
from apphub.access.model import NewToken
from apphub.admission import Admission
from apphub.db import Database, Tx
from apphub.db.together import Together
from apphub.kit import clock
from apphub.oauth import store as oauth_store
from apphub.oauth.store import ServerClient
from apphub.reconcile import store
from apphub.servers import store as servers_store
from apphub.servers.model import Server


class Release(Struct, frozen=True):
    """The server is given back, to be looked at when due: at once if what is wanted has changed meanwhile."""

    due: datetime | None


class Outcome(Struct, frozen=True, kw_only=True):
    """What is recorded of a server if it is still ours: all of it, or nothing."""

    server: Server
    lease: str
    #: Columns of its row.
    values: Mapping[str, Any] = field(default_factory=dict)
    #: None: it stays ours.
    release: Release | None = None
    #: Per cent and words, for who watches the start.
    progress: tuple[int, str] | None = None
    #: Its own tokens so far end.
    ends_tokens: bool = False
    #: Its own token from now on, and who it is to the hub's OAuth provider.
    token: NewToken | None = None
    client: ServerClient | None = None
    #: Seconds that the start took, from when it was let in.
    started: float | None = None
    #: Who hears of it.
    topics: Collection[str] = ()

    @property
    def change(self) -> dict[str, Any]:
        """The values of one set of `store.change_leased`."""
        change = {"server": self.server.id, "held_by": self.lease, **self.values}
        if self.release is not None:
            change |= {"seen": self.server.attempt, "seen_wanted": self.server.wanted}
            change["next_due"] = self.release.due
        return change


class Recorder:
    """Writes outcomes."""

    def __init__(self, db: Database, admission: Admission) -> None:
        self._db = db
        self._admission = admission
        self._together = Together(db, self._record)

    async def record(self, outcome: Outcome) -> bool:
        """Whether it is recorded; False when the server is no longer ours."""
        return await self._together(outcome)

    async def _record(self, outcomes: Sequence[Outcome]) -> Sequence[bool]:
        async with self._db.write() as tx:
            ours = await store.change_leased(tx, [outcome.change for outcome in outcomes])
            done = [outcome for outcome in outcomes if outcome.server.id in ours]
            await self._follow(tx, done)
            for outcome in done:
                tx.changed(*outcome.topics)
        return [outcome.server.id in ours for outcome in outcomes]

    async def _follow(self, tx: Tx, done: Sequence[Outcome]) -> None:
        """What goes with a change of the row."""
        now = clock.now()
        ends = [one.server.id for one in done if one.ends_tokens or one.token is not None]
        await access_store.delete_tokens_of_servers(tx, ends)
        await access_store.insert_tokens(tx, [one.token for one in done if one.token is not None], now)
        clients = [one.client for one in done if one.client is not None]
        await oauth_store.upsert_server_clients(tx, clients)
        told = [
            (one.server.id, one.server.attempt, *one.progress) for one in done if one.progress is not None
        ]
        await servers_store.insert_events(tx, told, now)
        for one in done:
            if one.started is not None and one.server.plan is not None and one.server.plan.profile_id:
                await self._admission.started(tx, one.server.plan.profile_id, one.started)
