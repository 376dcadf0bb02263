"""Open a server to others, and close it again.

Nobody gives what they do not hold on that server, and whoever names a user or group must be
allowed to know the name. The gate of profiles is asked here as it is at a start, about the
server's *owner*: what they may not start (any more) is opened to nobody anew, neither by a
share nor by a code. What was shared before lasts as long as the server may run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from apphub.access.actor import Actor
from apphub.access.grants import Grants, Target
from apphub.audit import By, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import RIGHTS
from apphub.errors import Invalid, NotFound, shown
from apphub.kit import clock, secrets
from apphub.people.groups import get_group
from apphub.people.store import get_person
from apphub.profiles import Profiles
from apphub.profiles.model import NoSuchProfile, NotYours
from apphub.servers.model import Server, ServerKey
from apphub.servers.store import find_server
from apphub.shares import store
from apphub.shares.model import (
    Closed,
    MayNotShare,
    NoServerToShare,
    NoSuchShare,
    Of,
    Share,
    ShareCode,
    With,
    parse_scopes,
    with_filter,
)

#: How long a code is good for when nothing else is said.
CODE_LIFE = timedelta(days=1)


class Shares(Struct, frozen=True):
    """Shares and codes."""

    db: Database
    profiles: Profiles

    async def grant(
        self,
        actor: Actor,
        by: By,
        key: ServerKey,
        whom: With,
        scopes: Sequence[str] | None,
        life: timedelta | None = None,
        *,
        replace: bool = False,
    ) -> Share:
        """Open a server; what is given comes on top of what was given before, or with `replace` instead of it."""
        now = clock.now()
        expires = now + life if life is not None else None
        async with self.db.write() as tx:
            server = await self._server(tx, key)
            wanted = parse_scopes(scopes, key)
            self._may_give(actor, wanted, key)
            self._may_name(actor, whom)
            await self._gate(tx, server)
            user_id, group_id = await self._whom(tx, whom)
            share = await store.find_share(tx, server.id, user_id=user_id, group_id=group_id, now=now)
            if share is None:
                await store.insert_share(
                    tx,
                    server.id,
                    user_id=user_id,
                    group_id=group_id,
                    scopes=wanted,
                    now=now,
                    expires=expires,
                )
            elif replace:
                await store.update_share(tx, share.id, scopes=list(wanted), expires=expires)
            else:
                merged = list(dict.fromkeys((*share.scopes, *wanted)))
                await store.update_share(tx, share.id, scopes=merged, expires=expires or share.expires)
            insert_entry(
                tx, by, "share.grant", server.label, after={"with": str(whom), "scopes": list(wanted)}
            )
            tx.changed(RIGHTS)
            share = await store.find_share(tx, server.id, user_id=user_id, group_id=group_id, now=now)
        assert share is not None
        return share

    async def revoke(
        self, by: By, key: ServerKey, whom: With, scopes: Sequence[str] | None = None, *, strict: bool = False
    ) -> Share | None:
        """Take scopes back, or all; what is left. With `strict` there must be a share."""
        now = clock.now()
        async with self.db.write() as tx:
            server = await self._server(tx, key)
            user_id, group_id = await store.find_whom(tx, whom)
            share = None
            if user_id is not None or group_id is not None:
                share = await store.find_share(tx, server.id, user_id=user_id, group_id=group_id, now=now)
            if share is None:
                if strict:
                    raise NoSuchShare(whom, key)
                return None
            taken = set(parse_scopes(scopes, key)) if scopes else set(share.scopes)
            left = [scope for scope in share.scopes if scope not in taken]
            if left:
                await store.update_share(tx, share.id, scopes=left)
            else:
                await store.delete_share(tx, share.id)
            insert_entry(
                tx, by, "share.revoke", server.label, before={"with": str(whom), "scopes": sorted(taken)}
            )
            tx.changed(RIGHTS)
            return await store.find_share(tx, server.id, user_id=user_id, group_id=group_id, now=now)

    async def revoke_all(self, by: By, key: ServerKey) -> None:
        """Close a server to everybody."""
        async with self.db.write() as tx:
            server = await self._server(tx, key)
            await store.delete_shares_of(tx, server.id)
            insert_entry(tx, by, "share.revoke", server.label, before={"with": "everybody"})
            tx.changed(RIGHTS)

    async def find(self, key: ServerKey, whom: With) -> Share:
        """One share; raises `NoSuchShare`."""
        now = clock.now()
        async with self.db.read() as tx:
            server = await self._server(tx, key)
            user_id, group_id = await store.find_whom(tx, whom)
            share = None
            if user_id is not None or group_id is not None:
                share = await store.find_share(tx, server.id, user_id=user_id, group_id=group_id, now=now)
        if share is None:
            raise NoSuchShare(whom, key)
        return share

    async def list_shares(self, of: Of, *, offset: int, limit: int) -> tuple[list[Share], int]:
        """A page of shares, and how many there are; raises `NotFound` for what they are asked of."""
        now = clock.now()
        async with self.db.read() as tx:
            where = await self._where(tx, of)
            shares = await store.list_shares(tx, where, now=now, offset=offset, limit=limit)
            return shares, await store.count_shares(tx, where, now=now)

    async def list_codes(self, of: Of, *, offset: int, limit: int) -> tuple[list[ShareCode], int]:
        """A page of codes, and how many there are; raises `NotFound` for what they are asked of."""
        now = clock.now()
        async with self.db.read() as tx:
            where = await self._where(tx, of)
            codes = await store.list_codes(tx, where, now=now, offset=offset, limit=limit)
            return codes, await store.count_codes(tx, where, now=now)

    async def create_code(
        self, actor: Actor, by: By, key: ServerKey, scopes: Sequence[str] | None, life: timedelta | None
    ) -> tuple[ShareCode, str]:
        """Make a code; its secret is returned here and never again."""
        now = clock.now()
        secret = secrets.new_token()[:48]
        async with self.db.write() as tx:
            server = await self._server(tx, key)
            wanted = parse_scopes(scopes, key)
            self._may_give(actor, wanted, key)
            await self._gate(tx, server)
            expires = now + (life or CODE_LIFE)
            code_id = await store.insert_code(tx, server.id, secret, scopes=wanted, now=now, expires=expires)
            insert_entry(
                tx, by, "share.code", server.label, after={"id": f"sc_{code_id}", "scopes": list(wanted)}
            )
            code = (await store.list_codes(tx, store.by_id(code_id), now=now))[0]
        return code, secret

    async def find_code(self, secret: str) -> ShareCode:
        """The code of this secret, if it can be traded; raises `NotFound` or `Closed`."""
        async with self.db.read() as tx:
            return await self._open_code(tx, secret)

    async def accept(self, actor: Actor, by: By, secret: str) -> ShareCode:
        """Trade a code for a share with whoever asks."""
        now = clock.now()
        async with self.db.write() as tx:
            code = await self._open_code(tx, secret)
            if code.server.key.user == actor.name:
                raise Invalid("This server is yours already.")
            share = await store.find_share(tx, code.server.id, user_id=actor.user_id, group_id=None, now=now)
            if share is None:
                await store.insert_share(
                    tx,
                    code.server.id,
                    user_id=actor.user_id,
                    group_id=None,
                    scopes=code.scopes,
                    now=now,
                    expires=None,
                )
            else:
                merged = list(dict.fromkeys((*share.scopes, *code.scopes)))
                await store.update_share(tx, share.id, scopes=merged)
            await store.note_exchange(tx, code.id, now)
            insert_entry(
                tx,
                by,
                "share.accept",
                code.server.label,
                after={"code": code.wire_id, "scopes": list(code.scopes)},
            )
            tx.changed(RIGHTS)
        return code

    async def delete_codes(
        self, by: By, key: ServerKey, *, secret: str | None = None, wire_id: str | None = None
    ) -> None:
        """End one code, or all of a server."""
        now = clock.now()
        async with self.db.write() as tx:
            server = await self._server(tx, key)
            where: list[store.Clause] = [store.of_server(server.id)]
            if secret is not None:
                where.append(store.by_secret(secret[:200]))
            if wire_id is not None:
                number = wire_id.removeprefix("sc_")
                known = number.isascii() and number.isdigit() and len(number) < 19
                where.append(store.by_id(int(number) if known else -1))
            codes = await store.list_codes(tx, *where, now=now)
            if not codes and secret is not None:
                raise NotFound("No matching code found")
            if not codes and wire_id is not None:
                raise NotFound(f"No code found matching id={shown(wire_id)}")
            await store.delete_codes(tx, [code.id for code in codes])
            insert_entry(tx, by, "share.code.revoke", server.label, before=[code.wire_id for code in codes])

    async def server(self, key: ServerKey) -> Server:
        """The server; raises `NoServerToShare`."""
        async with self.db.read() as tx:
            return await self._server(tx, key)

    async def _where(self, tx: Tx, of: Of) -> store.Clause:
        if of.server is not None:
            return store.of_server((await self._server(tx, of.server)).id)
        if of.group is not None:
            return store.with_group((await get_group(tx, of.group)).id)
        person = await get_person(tx, of.owner or of.user or "")
        return store.of_owner(person.id) if of.owner is not None else store.with_user(person.id)

    async def _server(self, tx: Tx, key: ServerKey) -> Server:
        server = await find_server(tx, key)
        if server is None:
            raise NoServerToShare(key)
        return server

    async def _open_code(self, tx: Tx, secret: str) -> ShareCode:
        codes = await store.list_codes(tx, store.by_secret(secret[:200]), now=clock.now())
        if not codes:
            raise NotFound("This share code is not valid (any more).", "Ask for a new one.")
        await self._gate(tx, codes[0].server)
        return codes[0]

    async def _gate(self, tx: Tx, server: Server) -> None:
        """Raises `Closed` for what its owner may not start; what was never started is decided at its start."""
        if server.plan is None:
            return
        owner = await get_person(tx, server.key.user)
        try:
            (await self.profiles.current(tx)).launchable(server.plan.profile, owner)
        except (NoSuchProfile, NotYours) as error:
            raise Closed(server, error.message) from None

    async def _whom(self, tx: Tx, whom: With) -> tuple[int | None, int | None]:
        user_id, group_id = await store.find_whom(tx, whom)
        if user_id is None and group_id is None:
            kind, name = ("user", whom.user) if whom.user is not None else ("group", whom.group)
            raise Invalid(f"No such {kind}: {name}")
        return user_id, group_id

    def _may_give(self, actor: Actor, scopes: Sequence[str], key: ServerKey) -> None:
        wanted = Grants.of(with_filter(scopes, key))
        if not wanted.within(actor.grants(), user=actor.name, groups=actor.groups):
            raise MayNotShare("You cannot share more of a server than you may do with it yourself.")

    def _may_name(self, actor: Actor, whom: With) -> None:
        scope, target = (
            ("read:users:name", Target(user=whom.user))
            if whom.user is not None
            else ("read:groups:name", Target(group=whom.group))
        )
        if not actor.may(scope, target):
            kind = "users" if whom.user is not None else "groups"
            raise MayNotShare(f"Need scope {scope!r} to share with {kind} by name")
