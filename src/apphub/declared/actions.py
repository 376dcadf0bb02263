"""Make what the settings file declares so, in one transaction, whenever a hub starts.

Declared things are created or brought up to date and marked `source=settings`; what has left
the file loses only the mark. Members that the file names are guaranteed; others are the
API's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from apphub.access.scopes import UnknownScope, check
from apphub.audit import insert_entry
from apphub.audit.model import SETTINGS
from apphub.db import Database
from apphub.db.changes import RIGHTS
from apphub.declared import store
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
) -> None:
    """Bring the database in line with the settings; `profiles` are those with the ones from other files.

    Raises `Invalid` for a scope that does not exist.
    """
    check_scopes(settings)
    async with db.write() as tx:
        await store.unmark(tx)
        roles = await store.upsert_roles(tx, settings.roles)
        services = await store.upsert_services(tx, settings.services, settings.base_url, keys)
        groups = await store.upsert_groups(tx, settings)
        people = await store.upsert_people(tx, settings, set(admins))
        await store.insert_members(tx, settings, groups, people)
        await store.replace_holders(tx, settings, roles, people, groups, services)
        await touch_bound_to_roles(tx)
        await declare_profiles(tx, effective_profiles(settings) if profiles is None else profiles)
        await insert_entry(tx, SETTINGS, "settings.apply", "hub")
        tx.changed(RIGHTS)


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
