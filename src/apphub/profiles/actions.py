"""What can be done with profiles: each change is a new version, and nothing is ever overwritten.

Profiles are read by every page and every start, so one reading of all of them is kept in
memory with the stamp it had; a start compares stamps in its own transaction, so that no
gate is ever asked with yesterday's rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from apphub.audit import By, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import PROFILES
from apphub.errors import Conflict, Invalid, NotFound, shown
from apphub.kit import clock
from apphub.people.model import Declared, Source
from apphub.profiles import secret, store
from apphub.profiles.model import (
    Binding,
    Catalogue,
    NoSuchProfile,
    Offer,
    check_option,
    with_groups,
)
from apphub.profiles.whom import Whom, insert_whom, parse_groups
from apphub.settings import Profile, SettingsError
from apphub.settings.definition import definition_of, profile_of

log = structlog.get_logger(__name__)

#: Positions of profiles made by the API, after those of the settings.
_AFTER = 1_000_000


class NoSuchVersion(NotFound):
    """The profile never had that version."""


class NoSuchBinding(NotFound):
    """The profile is not bound so."""


class AnotherDefault(Conflict):
    """Starts that name no profile have one already."""


class Profiles:
    """Profiles of one hub."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stamp = -1
        self._catalogue = Catalogue()
        #: Definitions read before: a version never changes.
        self._read: dict[tuple[int, int], Profile] = {}

    @property
    def catalogue(self) -> Catalogue:
        """All profiles as they were a moment ago: for showing."""
        return self._catalogue

    async def current(self, tx: Tx) -> Catalogue:
        """All profiles as they are in this transaction: for deciding."""
        stamp = await store.find_stamp(tx)
        if stamp != self._stamp:
            self._catalogue = await self._load(tx)
            self._stamp = stamp
        return self._catalogue

    async def refresh(self) -> None:
        """Read again what has changed."""
        async with self._db.read() as tx:
            await self.current(tx)

    async def run(self) -> None:
        """Follow the changes of other replicas and of the settings until cancelled."""
        with self._db.changes.listen(PROFILES) as news:
            while True:
                news.clear()
                await self.refresh()
                await news.wait()

    async def get(self, slug: str) -> Offer:
        """One profile on offer; raises `NoSuchProfile`."""
        async with self._db.read() as tx:
            return await self._offer(tx, slug)

    async def list_all(self, *, withdrawn: bool) -> list[Offer]:
        """All profiles, for those who may know them all."""
        async with self._db.read() as tx:
            rows = await store.list_rows(tx, withdrawn=withdrawn)
            bindings = await store.list_bindings(tx)
        offers = (self._offer_of(row, bindings.get(row.id, ())) for row in rows)
        return [offer for offer in offers if offer is not None]

    async def versions(self, slug: str) -> tuple[int, list[store.Version]]:
        """The current number, and what a profile was and is, newest first; also of one that is withdrawn."""
        async with self._db.read() as tx:
            row = await self._row(tx, slug)
            return row.version, await store.list_versions(tx, row.id)

    async def put(
        self, by: By, slug: str, body: Mapping[str, Any], *, create: bool = False
    ) -> tuple[Offer, bool]:
        """Make or replace a profile; whether it is new. With `create` one that exists is a conflict.

        Repeating what is so changes nothing, also for a profile that the settings declare.
        """
        async with self._db.write() as tx:
            row = await store.find_row(tx, slug)
            there = row is not None and row.withdrawn is None
            if there and create:
                raise Conflict(f"There is a profile {slug} already.", "Change it with PUT or PATCH.")
            kept = row.definition if row is not None else {}
            given = secret.restored({key: body[key] for key in body if key not in ("slug", "groups")}, kept)
            definition = definition_of(_checked(slug, given))
            await self._save(tx, by, slug, row, definition)
            if (groups := parse_groups(body.get("groups"))) is not None:
                await self._bind_groups(tx, by, await self._row(tx, slug), groups)
        await self.refresh()
        return await self.get(slug), not there

    async def judge(self, slug: str, body: Mapping[str, Any]) -> Offer:
        """What `put` would keep, without keeping it. Raises `Invalid` as it does."""
        async with self._db.read() as tx:
            row = await store.find_row(tx, slug)
            given = secret.restored(dict(body), row.definition if row is not None else {})
            profile = _checked(slug, given)
            await self._one_default(tx, slug, definition_of(profile))
        return Offer(0, 0, profile, (), Source.API, None)

    async def withdraw(self, by: By, slug: str) -> None:
        """Offer it no longer. What runs goes on; its versions stay, and rolling back brings it back."""
        async with self._db.write() as tx:
            row = await self._row(tx, slug, offered=True)
            if row.source is Source.SETTINGS:
                raise Declared(f"The profile {slug}")
            await store.update_profile(tx, row.id, withdrawn=clock.now())
            insert_entry(tx, by, "profile.withdraw", f"profile:{slug}")
        await self.refresh()

    async def roll_back(self, by: By, slug: str, number: int) -> Offer:
        """Make a new version that is what an old one was. Raises `NoSuchVersion`."""
        async with self._db.write() as tx:
            row = await self._row(tx, slug)
            definition = await store.find_definition(tx, row.id, number)
            if definition is None:
                raise NoSuchVersion(f"The profile {slug} has no version {number}.")
            _checked(slug, definition)  # what once was fine may mean nothing to this release
            await self._save(tx, by, slug, row, definition)
        await self.refresh()
        return await self.get(slug)

    async def bind(self, by: By, slug: str, whom: Whom, options: Mapping[str, Any] | None) -> Binding:
        """Let somebody launch it, perhaps with some options fixed; what is so already is left so."""
        async with self._db.write() as tx:
            offer = await self._offer(tx, slug)
            for name, value in (options or {}).items():
                if name not in offer.profile.options:
                    raise Invalid(f"The profile {slug} has no option {shown(name)} to fix.")
                check_option(name, offer.profile.options[name], value)
            same = next(
                (
                    one
                    for one in offer.bindings
                    if one.whom == str(whom) and (one.options or {}) == (options or {})
                ),
                None,
            )
            if same is None:
                key = await insert_whom(tx, offer.id, whom, options)
                await store.update_profile(tx, offer.id)
                insert_entry(
                    tx, by, "profile.bind", offer.label, after={"whom": str(whom), "options": options}
                )
            else:
                key = same.id
            found = await store.list_bindings(tx, offer.id)
        await self.refresh()
        return next(one for one in found[offer.id] if one.id == key)

    async def unbind(self, by: By, slug: str, binding_id: int) -> None:
        """Let somebody launch it no longer; running servers follow what the profile says of that."""
        async with self._db.write() as tx:
            row = await self._row(tx, slug)
            found = (await store.list_bindings(tx, row.id)).get(row.id, ())
            binding = next((one for one in found if one.id == binding_id), None)
            if binding is None:
                raise NoSuchBinding(f"The profile {slug} has no such binding.")
            if binding.source is Source.SETTINGS:
                raise Declared(f"That {slug} is open to {binding.whom}")
            await self._unbind(tx, by, row, binding)
        await self.refresh()

    async def _save(
        self, tx: Tx, by: By, slug: str, row: store.Row | None, definition: Mapping[str, Any]
    ) -> None:
        now, actor = clock.now(), by.actor
        await self._one_default(tx, slug, definition)
        if row is None:
            key = await store.insert_profile(tx, slug, position=_AFTER, source=Source.API)
            await store.insert_version(tx, key, 1, definition, actor=actor, now=now)
            insert_entry(tx, by, "profile.create", f"profile:{slug}", after={"version": 1})
            return
        if row.definition == definition and row.withdrawn is None:
            return
        if row.source is Source.SETTINGS:
            raise Declared(f"The profile {slug}")
        number = await store.last_number(tx, row.id) + 1
        await store.insert_version(tx, row.id, number, definition, actor=actor, now=now)
        await store.update_profile(tx, row.id, version=number, withdrawn=None)
        insert_entry(
            tx,
            by,
            "profile.change",
            f"profile:{slug}",
            before={"version": row.version},
            after={"version": number},
        )

    async def _one_default(self, tx: Tx, slug: str, definition: Mapping[str, Any]) -> None:
        if not definition.get("default"):
            return
        for row in await store.list_rows(tx):
            if row.slug != slug and row.definition.get("default"):
                raise AnotherDefault(f"The profile {row.slug} is the default already.", "Only one may be.")

    async def _bind_groups(self, tx: Tx, by: By, row: store.Row, wanted: list[Whom]) -> None:
        """Have it open to just these groups, beside what the settings, and bindings to users, say."""
        found = (await store.list_bindings(tx, row.id)).get(row.id, ())
        names = {str(whom) for whom in wanted}
        for binding in found:
            plain = binding.user_id is None and not binding.options and binding.source is Source.API
            if plain and binding.whom not in names:
                await self._unbind(tx, by, row, binding)
        there = {binding.whom for binding in found if not binding.options}
        for whom in wanted:
            if str(whom) not in there:
                await insert_whom(tx, row.id, whom, None)
                insert_entry(tx, by, "profile.bind", f"profile:{row.slug}", after={"whom": str(whom)})
        await store.update_profile(tx, row.id)

    async def _unbind(self, tx: Tx, by: By, row: store.Row, binding: Binding) -> None:
        await store.delete_binding(tx, binding.id)
        await store.update_profile(tx, row.id)
        await store.insert_check(tx, row.id)
        insert_entry(tx, by, "profile.unbind", f"profile:{row.slug}", before={"whom": binding.whom})

    async def _row(self, tx: Tx, slug: str, *, offered: bool = False) -> store.Row:
        row = await store.find_row(tx, slug)
        if row is None or (offered and row.withdrawn is not None):
            raise NoSuchProfile(f"There is no profile {shown(slug)}.")
        return row

    async def _offer(self, tx: Tx, slug: str) -> Offer:
        row = await self._row(tx, slug, offered=True)
        bindings = await store.list_bindings(tx, row.id)
        offer = self._offer_of(row, bindings.get(row.id, ()))
        if offer is None:
            raise NoSuchProfile(f"The profile {shown(slug)} means nothing to this release of the hub.")
        return offer

    async def _load(self, tx: Tx) -> Catalogue:
        rows, bindings = await store.list_rows(tx), await store.list_bindings(tx)
        offers = [self._offer_of(row, bindings.get(row.id, ())) for row in rows]
        return Catalogue(
            {offer.slug: offer for offer in offers if offer is not None}, await store.list_holders(tx)
        )

    def _offer_of(self, row: store.Row, bindings: tuple[Binding, ...]) -> Offer | None:
        profile = self._read.get((row.id, row.version))
        if profile is None:
            try:
                profile = profile_of(row.slug, row.definition)
            except SettingsError as error:
                log.error("profile.unreadable", profile=row.slug, version=row.version, error=str(error))
                return None
            self._read[row.id, row.version] = profile
        return with_groups(Offer(row.id, row.version, profile, bindings, row.source, row.withdrawn))


def _checked(slug: str, definition: Mapping[str, Any]) -> Profile:
    try:
        profile = profile_of(slug, definition)
    except SettingsError as error:
        raise Invalid(str(error)) from None
    folder = profile.environment_path
    if folder is not None and not folder.is_absolute():
        raise Invalid("environment_path: must be an absolute path")
    return profile
