"""Make what the settings file declares so, in one transaction, whenever a hub starts.

Declared things are created or brought up to date and marked `source=settings`; what has left
the file loses only the mark. Members that the file names are guaranteed; others are the
API's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from apphub.access.scopes import UnknownScope, check
from apphub.audit import insert_entry
from apphub.audit.model import SETTINGS
from apphub.db import Database, Tx
from apphub.db.changes import RIGHTS
from apphub.db.lock import DECLARED, take_turns
from apphub.declared import store
from apphub.declared.newest import digest_of, digest_of_profiles, is_newest
from apphub.declared.profiles import declare_profiles
from apphub.errors import Invalid
from apphub.kit.secrets import Keys
from apphub.profiles.store import touch_bound_to_roles
from apphub.settings import Profile, Settings, effective_profiles


async def declare(
    db: Database,
    settings: Settings,
    admins: Iterable[str],
    keys: Keys,
    profiles: Sequence[Profile] | None = None,
    at: datetime | None = None,
) -> None:
    """Bring the database in line with the settings; `profiles` are those with the ones from other files.

    `at` is when the files were changed last: replicas with other files may share the database, and
    those with the newest say what is declared. Raises `Invalid` for a scope that does not exist.
    """
    check_scopes(settings)
    names = sorted(admins)
    wanted = effective_profiles(settings) if profiles is None else profiles
    async with db.write() as tx:
        await take_turns(tx, DECLARED)
        if await is_newest(tx, db, "settings", digest_of(settings, names), at):
            before = await store.declared(tx)
            await _declare(tx, settings, set(names), keys)
            await _note_changes(tx, before, await store.declared(tx))
        if await is_newest(tx, db, "profiles", digest_of_profiles(wanted), at):
            await declare_profiles(tx, wanted)
        tx.changed(RIGHTS)


async def _declare(tx: Tx, settings: Settings, admins: set[str], keys: Keys) -> None:
    await store.unmark(tx)
    roles = await store.upsert_roles(tx, settings.roles)
    services = await store.upsert_services(tx, settings.services, settings.base_url, keys)
    groups = await store.upsert_groups(tx, settings)
    people = await store.upsert_people(tx, settings, admins)
    await store.insert_members(tx, settings, groups, people)
    await store.replace_holders(tx, settings, roles, people, groups, services)
    await touch_bound_to_roles(tx)


async def _note_changes(tx: Tx, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for label in sorted({*before, *after}):
        was, now = before.get(label), after.get(label)
        if was != now:
            insert_entry(tx, SETTINGS, "settings.apply", label, before=was, after=now)


def check_scopes(settings: Settings) -> None:
    """Raise `Invalid` for a scope in the settings that does not exist, saying where it stands."""
    asked = [(f"roles: {role.name}", role.scopes or ()) for role in settings.roles]
    asked += [
        (f"services: {service.name}: oauth_client_allowed_scopes", service.oauth_client_allowed_scopes)
        for service in settings.services
    ]
    for where, scopes in asked:
        try:
            check(scopes)
        except UnknownScope as error:
            raise Invalid(f"{where}: {error.message}", error.advice) from error
