"""Profiles of the settings, made so in the database: new ones, changed ones, and those that are gone.

What has changed becomes a new version. What has left the settings is withdrawn: it is offered
no longer, while servers that run by it go on and its versions stay. Bindings that the API has
made are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from apphub.audit import By, insert_entry
from apphub.audit.model import SETTINGS
from apphub.db import Database, Tx
from apphub.db.lock import DECLARED, take_turns
from apphub.declared.newest import digest_of_profiles, is_newest
from apphub.kit import clock
from apphub.people.model import Source
from apphub.profiles import store
from apphub.profiles.model import Binding
from apphub.profiles.whom import Whom, insert_whom, parse_groups
from apphub.settings import Profile
from apphub.settings.definition import definition_of


async def apply_profiles(
    db: Database, profiles: Sequence[Profile], at: datetime | None = None, by: By | None = None
) -> list[str]:
    """Bring the database in line, in one transaction; the names of the profiles that changed.

    None do where others have been declared since `at` (see `newest`). `by` is who asked for it, if
    anybody did.
    """
    async with db.write() as tx:
        await take_turns(tx, DECLARED)
        changed = []
        if await is_newest(tx, db, "profiles", digest_of_profiles(profiles), at):
            changed = await declare_profiles(tx, profiles)
        if by is not None:
            insert_entry(tx, by, "settings.reload", "hub", after={"changed": changed})
        return changed


async def declare_profiles(tx: Tx, profiles: Sequence[Profile]) -> list[str]:
    """The same, as part of a larger transaction."""
    rows = {row.slug: row for row in await store.list_rows(tx, withdrawn=True)}
    bindings = await store.list_bindings(tx)
    changed = []
    for position, profile in enumerate(profiles):
        row = rows.pop(profile.slug, None)
        touched = await _declare_one(tx, profile, row, position)
        found = bindings.get(row.id, ()) if row is not None else ()
        here = row if row is not None else await store.find_row(tx, profile.slug)
        assert here is not None
        opened = await _open_to(tx, here, parse_groups(profile.groups) or [], found)
        if touched or opened:
            changed.append(profile.slug)
    for row in rows.values():
        if row.source is Source.SETTINGS:
            await _withdraw(tx, row, bindings.get(row.id, ()))
            changed.append(row.slug)
    return changed


async def _declare_one(tx: Tx, profile: Profile, row: store.Row | None, position: int) -> bool:
    definition, now = definition_of(profile), clock.now()
    if row is None:
        key = await store.insert_profile(tx, profile.slug, position=position, source=Source.SETTINGS)
        await store.insert_version(tx, key, 1, definition, actor=SETTINGS.actor, now=now)
        insert_entry(tx, SETTINGS, "profile.create", f"profile:{profile.slug}", after={"version": 1})
        return True
    if row.definition == definition:
        if (row.position, row.source, row.withdrawn) != (position, Source.SETTINGS, None):
            await store.update_profile(tx, row.id, position=position, source=Source.SETTINGS, withdrawn=None)
            return row.withdrawn is not None
        return False
    number = await store.last_number(tx, row.id) + 1
    await store.insert_version(tx, row.id, number, definition, actor=SETTINGS.actor, now=now)
    await store.update_profile(
        tx, row.id, version=number, position=position, source=Source.SETTINGS, withdrawn=None
    )
    before, after = {"version": row.version}, {"version": number}
    insert_entry(tx, SETTINGS, "profile.change", f"profile:{profile.slug}", before=before, after=after)
    return True


async def _open_to(tx: Tx, row: store.Row, wanted: Sequence[Whom], found: Iterable[Binding]) -> bool:
    declared = {binding.whom: binding for binding in found if binding.source is Source.SETTINGS}
    names = {str(whom) for whom in wanted}
    lost = [binding for whom, binding in declared.items() if whom not in names]
    new = [whom for whom in wanted if str(whom) not in declared]
    for binding in lost:
        await store.delete_binding(tx, binding.id)
    for whom in new:
        await insert_whom(tx, row.id, whom, None, Source.SETTINGS)
    if lost:
        await store.insert_check(tx, row.id)
    if lost or new:
        await store.update_profile(tx, row.id)
        before, after = sorted(declared), sorted(names)
        insert_entry(tx, SETTINGS, "profile.open", f"profile:{row.slug}", before=before, after=after)
    return bool(lost or new)


async def _withdraw(tx: Tx, row: store.Row, bindings: Iterable[Binding]) -> None:
    for binding in bindings:
        if binding.source is Source.SETTINGS:
            await store.delete_binding(tx, binding.id)
    gone = row.withdrawn or clock.now()
    await store.update_profile(tx, row.id, source=Source.API, withdrawn=gone)
    insert_entry(tx, SETTINGS, "profile.withdraw", f"profile:{row.slug}")
