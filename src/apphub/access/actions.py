"""Turn credentials into actors; make and revoke tokens.

Rights are looked up when they are used, never stored with a token: whoever loses a role or
group loses what it gave at once, in every token. What has been looked up is remembered until
anything that decides these rights changes (topic `rights`, and that of the one person).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from apphub.access import sessions, store
from apphub.access.actor import Actor
from apphub.access.actors import owner_actor, token_actor
from apphub.access.grants import Grants, Target
from apphub.access.memory import Memory, Seen, over
from apphub.access.model import (
    MadeToken,
    MayNotCreateTokens,
    NewToken,
    NoSuchToken,
    Owner,
    SignedIn,
    Token,
    TooMuch,
)
from apphub.access.scopes import IDENTIFY, check
from apphub.access.uses import Uses
from apphub.audit import By, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import RIGHTS, rights_of
from apphub.kit import clock, secrets

#: A use is written down at most this often per credential.
USE_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: what goes into the cookies."""

    id: int
    secret: str = field(repr=False)
    public_id: str
    expires: datetime


class Access:
    """Credentials and tokens."""

    def __init__(self, db: Database, *, maximum_life: timedelta | None = None) -> None:
        self._db = db
        self._maximum_life = maximum_life
        self._memory = Memory(db.changes.rights)
        self._uses = Uses(db)

    async def by_token(self, token: str) -> Actor | None:
        """The actor behind an API token; None for one that is unknown, revoked or expired."""
        if not 0 < len(token) <= 512:
            return None
        key = secrets.digest(token)
        if (seen := self._memory.recall(key)) is not None:
            return await self._used(seen)
        count = self._db.changes.rights.count
        async with self._db.read() as tx:
            credential = await store.find_credential(tx, token)
        if credential is None or over(credential.expires):
            return None
        actor = token_actor(credential)
        until = _first(credential.expires, credential.owner.until)
        return await self._remember(key, count, actor, until, credential.last_used)

    async def by_session(self, secret: str) -> Actor | None:
        """The actor behind a sign-in cookie; None for one that is unknown, ended or expired."""
        if not 0 < len(secret) <= 512:
            return None
        digest = secrets.digest(secret)
        return await self._session(digest, digest=digest)

    async def by_public_session(self, public_id: str) -> Actor | None:
        """The actor behind a sign-in that something of ours vouches for (a signed pass); never a way in by itself."""
        return await self._session(f"session:{public_id}", public_id=public_id)

    async def _session(
        self, key: str, *, digest: str | None = None, public_id: str | None = None
    ) -> Actor | None:
        if (seen := self._memory.recall(key)) is not None:
            return await self._used(seen)
        count = self._db.changes.rights.count
        async with self._db.read() as tx:
            found = await store.find_session(tx, digest=digest, public_id=public_id)
        if found is None or over(found[2]):
            return None
        session_id, known_as, expires, last_activity, owner = found
        actor = replace(
            owner_actor(owner),
            session_id=session_id,
            session_public_id=known_as,
            expires=_first(expires, owner.until),
            by_cookie=True,
        )
        return await self._remember(key, count, actor, actor.expires, last_activity)

    async def start_session(
        self, by: By, user_id: int, life: timedelta, *, agent: str = "", address: str = ""
    ) -> Session:
        """Note a sign-in of `by`; `agent` and `address` are what its owner is shown of it."""
        now = clock.now()
        secret, public_id = secrets.new_token(), secrets.new_token()[:32]
        async with self._db.write() as tx:
            session_id = await sessions.insert_session(
                tx,
                digest=secrets.digest(secret),
                public_id=public_id,
                user_id=user_id,
                now=now,
                expires=now + life,
                agent=agent[:200],
                address=address[:100],
            )
            insert_entry(tx, by, "session.start", by.actor, after={"expires": clock.wire_time(now + life)})
        return Session(session_id, secret, public_id, now + life)

    async def sessions_of(self, name: str) -> list[SignedIn]:
        """Where a person is signed in, the newest first."""
        async with self._db.read() as tx:
            return await sessions.list_sessions_of(tx, name, clock.now())

    async def end_session(self, by: By, session_id: int) -> None:
        """Sign out: the session and every app token that it granted end."""
        async with self._db.write() as tx:
            await sessions.delete_session(tx, session_id)
            insert_entry(tx, by, "session.end", by.actor)
            tx.changed(RIGHTS)

    async def owner(self, name: str) -> Actor | None:
        """A person with the rights they hold now."""
        async with self._db.read() as tx:
            owner = await store.find_owner(tx, name)
        return None if owner is None else owner_actor(owner)

    async def check_may_create(self, actor: Actor, name: str) -> None:
        """Raise `MayNotCreateTokens` unless the actor may make tokens of this person."""
        async with self._db.read() as tx:
            await _token_owner(tx, actor, name)

    async def create_token(
        self,
        actor: Actor,
        by: By,
        name: str,
        *,
        scopes: Sequence[str] | None,
        roles: Sequence[str] = (),
        note: str,
        life: timedelta | None,
        now: datetime | None = None,
    ) -> MadeToken:
        """Make a token of a person; the secret is returned here and never again.

        With neither scopes nor roles it may do whatever its owner may (as long as that is not
        more than the actor may). Raises `MayNotCreateTokens`, and `TooMuch` for scopes that the
        owner or the actor does not hold: nobody grants what they don't hold.
        """
        now = now or clock.now()
        secret = secrets.new_token()
        async with self._db.write() as tx:
            owner = await _token_owner(tx, actor, name)
            wanted = await self._wanted(tx, scopes, roles)
            given = self._limited(wanted, actor, owner)
            new = NewToken(
                secret=secret,
                user_id=owner.id,
                scopes=given,
                note=note,
                expires=self._end(now, life),
                session_id=None,
            )
            token_id = await store.insert_token(tx, new, now)
            insert_entry(tx, by, "token.create", f"user:{owner.name}", after=_told(token_id, new))
        token = Token(
            id=token_id,
            kind="user",
            owner=owner.name,
            scopes=tuple(given),
            note=note,
            created=now,
            last_used=None,
            expires=new.expires,
            session_public_id=None,
            client=None,
            server=None,
        )
        return MadeToken(token, secret, owner)

    async def tokens_of(self, name: str) -> list[Token]:
        """The live tokens of a person."""
        async with self._db.read() as tx:
            owner = await store.find_owner(tx, name)
            return [] if owner is None else await store.list_tokens_of(tx, owner.id, clock.now())

    async def token(self, name: str, wire_id: str) -> Token:
        """One token of a person; raises `NoSuchToken`."""
        async with self._db.read() as tx:
            return await self._token(tx, name, wire_id)

    async def revoke_token(self, by: By, name: str, wire_id: str) -> None:
        """Revoke one token of a person; raises `NoSuchToken`."""
        async with self._db.write() as tx:
            token = await self._token(tx, name, wire_id)
            owner = await store.delete_token(tx, token.id)
            before = {"id": token.wire_id, "note": token.note, "scopes": list(token.scopes)}
            insert_entry(tx, by, "token.revoke", f"user:{name}", before=before)
            tx.changed(*rights_of(owner))

    async def forget_expired(self) -> None:
        """Delete what has ended."""
        async with self._db.write() as tx:
            await store.delete_expired(tx, clock.now())

    async def _token(self, tx: Tx, name: str, wire_id: str) -> Token:
        number = wire_id[1:]
        found = None
        if wire_id[:1] == "a" and number.isascii() and number.isdigit() and len(number) < 19:
            found = await store.find_token(tx, int(number))
        if found is None or found.kind != "user" or found.owner != name or over(found.expires):
            raise NoSuchToken(wire_id, name)
        return found

    async def _wanted(self, tx: Tx, scopes: Sequence[str] | None, roles: Sequence[str]) -> list[str]:
        wanted = list(scopes or ())
        for role in roles:
            wanted += await store.get_role_scopes(tx, role)
        check(wanted)
        return wanted if scopes is not None or roles else ["inherit"]

    def _limited(self, wanted: list[str], actor: Actor, owner: Owner) -> list[str]:
        mine = actor.grants() | Grants.of(IDENTIFY, user=owner.name)
        if "inherit" in wanted:
            if owner.grants.within(mine, user=owner.name, groups=owner.groups):
                return ["inherit"]
            return mine.meet(owner.grants, user=owner.name, groups=owner.groups).names()
        asked = Grants.of(wanted, user=owner.name)
        theirs = owner.grants | Grants.of(IDENTIFY, user=owner.name)
        for holder, grants in ((f"User {owner.name}", theirs), (f"{actor.kind} {actor.name}", mine)):
            if (beyond := asked.beyond(grants, user=owner.name, groups=owner.groups)).table:
                raise TooMuch(beyond, holder)
        return wanted

    def _end(self, now: datetime, life: timedelta | None) -> datetime | None:
        lives = [one for one in (life, self._maximum_life) if one is not None]
        return now + min(lives) if lives else None

    async def _used(self, seen: Seen) -> Actor:
        """Its actor, once the use is written down where that is due."""
        now = clock.now()
        if now - seen.noted >= USE_RESOLUTION:
            seen.noted = now
            await self._uses.note(seen.actor, now)
        return seen.actor

    async def _remember(
        self,
        key: str,
        count: int,
        actor: Actor,
        until: datetime | None,
        last_used: datetime | None,
    ) -> Actor:
        whose = None if actor.user_id is None else str(actor.user_id)
        noted = last_used or datetime.min.replace(tzinfo=clock.now().tzinfo)
        seen = Seen(count, actor, whose, until, noted)
        self._memory.keep(key, seen)
        return await self._used(seen)


async def _token_owner(tx: Tx, actor: Actor, name: str) -> Owner:
    """The person of this name, of whom the actor may make tokens; raises `MayNotCreateTokens`."""
    owner = await store.find_owner(tx, name)
    if owner is None or not actor.may("tokens", Target(user=name, groups=owner.groups)):
        raise MayNotCreateTokens(name)
    return owner


def _told(token_id: int, new: NewToken) -> dict[str, Any]:
    """A new token, as the log tells of it."""
    return {
        "id": f"a{token_id}",
        "note": new.note,
        "scopes": list(new.scopes),
        "expires": clock.wire_time(new.expires),
    }


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
