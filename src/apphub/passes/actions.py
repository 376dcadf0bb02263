"""Give passes to visitors, and take them back when anything that let them in has changed.

A pass is checked by the edge alone, so taking it back means telling the edges: a session that
may no longer visit goes on the deny list of the server's route until its pass has expired;
when that list grows long, the server's epoch is raised, which voids all of its passes at once
(everybody else gets a new one without noticing, by one question of the edge).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from msgspec import Struct

from apphub.access.actions import Access
from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.audit import By, insert_entry
from apphub.db import Database
from apphub.db.changes import ENDED, routes_topic
from apphub.kit import clock
from apphub.passes import store
from apphub.passes.tokens import Claims, Signer
from apphub.proxy.base import Visitor
from apphub.servers.model import Server, ServerKey

#: Sessions on a deny list before the epoch is raised instead.
MOST_DENIED = 64

#: The edge takes a pass for up to so long after its end: it counts in whole seconds, and allows one more.
LENIENCE = timedelta(seconds=1)

#: Streams without an end are remembered for so long.
LONGEST_STREAM = timedelta(days=7)


def audience(server_id: int) -> str:
    """What a pass to this server is made for."""
    return f"server-{server_id}"


def server_of_audience(name: str) -> int | None:
    """The id of the server that passes of this audience are for."""
    number = name.removeprefix("server-")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None


def stream_memory(stream_life: timedelta) -> float:
    """How long (seconds) a stream may be open after the pass that opened it has run out."""
    return (stream_life or LONGEST_STREAM).total_seconds()


def may_visit(actor: Actor, key: ServerKey, owner_groups: frozenset[str] = frozenset()) -> bool:
    """Whether somebody may use a server."""
    return actor.may("access:servers", Target(user=key.user, groups=owner_groups, server=str(key)))


class Passes(Struct, frozen=True):
    """Passes."""

    db: Database
    access: Access
    signer: Signer
    life: timedelta
    stream_life: timedelta

    async def give(self, actor: Actor, by: By, server: Server, url: str) -> str:
        """A pass for somebody who may visit.

        Who has none that still counts opens the server anew: that is noted, a renewal is not.
        """
        assert actor.session_public_id is not None
        now = clock.now()
        expires = min(filter(None, (now + self.life, actor.expires)))
        async with self.db.write() as tx:
            epoch = await store.find_epoch(tx, server.id)
            found = await store.find_pass(tx, server.id, actor.session_public_id)
            await store.upsert_pass(tx, server.id, actor.session_public_id, expires)
            if found is None or found.denied or found.expires + self.life < now:
                insert_entry(tx, by, "server.open", server.label)
            if found is not None and found.denied:
                tx.changed(routes_topic(server.key.user))  # it may visit again: off the deny list
            if await store.delete_ended(tx, server.id, actor.session_public_id):
                tx.changed(ENDED)
        claims = Claims(audience(server.id), actor.name, actor.session_public_id, epoch)
        return self.signer.make(claims, groups=actor.groups, url=url, now=now, expires=expires - LENIENCE)

    async def holder(self, token: str, server: Server) -> Actor | None:
        """Who holds this pass, expired or not, if it is for this server and its sign-in lives on."""
        claims = self.signer.read(token)
        if claims is None or claims.audience != audience(server.id):
            return None
        return await self.access.by_public_session(claims.session)

    async def review(self) -> int:
        """Deny the passes of all who may no longer visit, and end what they have open; how many there were.

        Looked at are those who may still have something open, though their pass has run out.
        """
        now = clock.now()
        async with self.db.read() as tx:
            live = await store.list_live(tx, self._oldest(now))
            groups = await store.list_groups_of(tx, {row.owner for row in live})
        lost: list[store.Live] = []
        for session, passes in groupby(live, key=lambda row: row.session):
            actor = await self.access.by_public_session(session)
            for row in passes:
                theirs = groups.get(row.owner, frozenset())
                if actor is None or not may_visit(actor, ServerKey(row.owner, row.server), theirs):
                    lost.append(row)
        if lost:
            async with self.db.write() as tx:
                await store.deny(tx, [row.id for row in lost])
                until = now + timedelta(seconds=stream_memory(self.stream_life))
                await store.insert_ended(tx, {(row.server_id, row.session) for row in lost}, until)
                tx.changed(ENDED, *(routes_topic(row.owner) for row in lost))
                servers = list({row.server_id for row in lost})
                for server_id, sessions in (await store.list_denied(tx, servers, now)).items():
                    if len(sessions) > MOST_DENIED:
                        await store.raise_epoch(tx, server_id)
        return len(lost)

    async def ended(self) -> list[Visitor]:
        """Those whose open streams must end."""
        async with self.db.read() as tx:
            return [
                Visitor(audience(server), session)
                for server, session in await store.list_ended(tx, clock.now())
            ]

    async def next_end(self, after: datetime) -> timedelta | None:
        """How long until the first pass runs out of those that did not before `after`."""
        async with self.db.read() as tx:
            end = await store.find_next_end(tx, after)
        return None if end is None else end - clock.now()

    async def forget_expired(self) -> None:
        """Forget passes that have run out so long ago that nothing of theirs is open."""
        async with self.db.write() as tx:
            await store.delete_expired(tx, self._oldest(clock.now()))

    def _oldest(self, now: datetime) -> datetime:
        return now - timedelta(seconds=stream_memory(self.stream_life))
