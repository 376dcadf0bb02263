"""Give passes to visitors, and take them back when anything that let them in has changed.

A pass is checked by the edge alone, so taking it back means telling the edges: a session that
may no longer visit goes on the deny list of the server's route until its pass has expired;
when that list grows long, the server's epoch is raised, which voids all of its passes at once
(everybody else gets a new one without noticing, by one question of the edge).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from apphub.access.actions import Access
from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.db import Database
from apphub.kit import clock
from apphub.passes import store
from apphub.passes.tokens import Claims, Signer
from apphub.servers.model import Server, ServerKey

#: Sessions on a deny list before the epoch is raised instead.
MOST_DENIED = 64


def audience(server_id: int) -> str:
    """What a pass to this server is made for."""
    return f"server-{server_id}"


def may_visit(actor: Actor, key: ServerKey, owner_groups: frozenset[str] = frozenset()) -> bool:
    """Whether somebody may use a server."""
    return actor.may("access:servers", Target(user=key.user, groups=owner_groups, server=str(key)))


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes."""

    db: Database
    access: Access
    signer: Signer
    life: timedelta

    async def give(self, actor: Actor, server: Server, url: str) -> tuple[str, datetime, bool]:
        """A pass for somebody who may visit, its end, and whether the route must be published again."""
        assert actor.session_public_id is not None
        now = clock.now()
        expires = min(filter(None, (now + self.life, actor.expires)))
        async with self.db.write() as tx:
            epoch = await store.find_epoch(tx, server.id)
            denied = await store.upsert_pass(tx, server.id, actor.session_public_id, expires)
        claims = Claims(audience(server.id), actor.name, actor.session_public_id, epoch)
        token = self.signer.make(claims, groups=actor.groups, url=url, now=now, expires=expires)
        return token, expires, denied

    async def holder(self, token: str, server: Server) -> Actor | None:
        """Who holds this pass, expired or not, if it is for this server and its sign-in lives on."""
        claims = self.signer.read(token)
        if claims is None or claims.audience != audience(server.id):
            return None
        return await self.access.by_public_session(claims.session)

    async def review(self) -> set[str]:
        """Deny the passes of all who may no longer visit; the owners whose routes have changed by that."""
        now = clock.now()
        async with self.db.read() as tx:
            live = await store.list_live(tx, now)
        lost: list[tuple[int, str, int]] = []
        for session, passes in groupby(live, key=lambda row: row[1]):
            actor = await self.access.by_public_session(session)
            for key, _, owner, server, server_id in passes:
                if actor is None or not may_visit(actor, ServerKey(owner, server)):
                    lost.append((key, owner, server_id))
        if not lost:
            return set()
        async with self.db.write() as tx:
            await store.deny(tx, [key for key, _, _ in lost])
            servers = list({server_id for _, _, server_id in lost})
            for server_id, sessions in (await store.list_denied(tx, servers, now)).items():
                if len(sessions) > MOST_DENIED:
                    await store.raise_epoch(tx, server_id)
        return {owner for _, owner, _ in lost}
