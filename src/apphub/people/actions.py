"""What can be done with people and groups: one method, one transaction, one audit entry.

Rules kept here and nowhere else: nobody grants what they do not hold (making somebody an
administrator, or a member of a group that carries roles); what the settings file declares
is not contradicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from apphub.access import store as access_store
from apphub.access.actor import Actor
from apphub.access.grants import Grants, Target
from apphub.audit import By, insert_entry
from apphub.audit.store import insert_entries
from apphub.db import Database, Tx
from apphub.db.changes import RIGHTS, rights_of
from apphub.errors import Forbidden, Invalid
from apphub.kit import clock
from apphub.people import groups, store
from apphub.people.bulk import Line
from apphub.people.model import (
    Declared,
    Group,
    Person,
    Source,
    UserExists,
    parse_group_name,
    parse_user_name,
)


class MayNotGrant(Forbidden):
    """What would be given is more than the giver holds."""


class People(Struct, frozen=True):
    """Users and groups."""

    db: Database

    async def create(
        self, actor: Actor, by: By, names: Sequence[object], *, admin: bool
    ) -> tuple[list[str], list[str]]:
        """Create people, all or (when a name is bad) none. Returns who is new and who was there before."""
        wanted = list(dict.fromkeys(parse_user_name(name) for name in names))
        async with self.db.write() as tx:
            if admin:
                await self._may_make_admin(tx, actor)
            taken = await store.find_existing(tx, wanted)
            new = [name for name in wanted if name not in taken]
            await store.insert_people(tx, new, admin=admin, source=Source.API, now=clock.now())
            await insert_entries(tx, by, "user.create", {f"user:{name}": {"admin": admin} for name in new})
        return new, [name for name in wanted if name in taken]

    async def create_many(self, actor: Actor, by: By, lines: Sequence[Line]) -> tuple[int, int]:
        """Add people with their groups, all in one transaction or none; how many are new, and in how many groups.

        Raises `Invalid` for a line that cannot be done.
        """
        async with self.db.write() as tx:
            if any(line.admin for line in lines):
                await self._may_make_admin(tx, actor)
            taken = await store.find_existing(tx, [line.name for line in lines])
            new = [line for line in lines if line.name not in taken]
            for admin in (True, False):
                names = [line.name for line in new if line.admin is admin]
                await store.insert_people(tx, names, admin=admin, source=Source.API, now=clock.now())
                await insert_entries(
                    tx, by, "user.create", {f"user:{name}": {"admin": admin} for name in names}
                )
            members: dict[str, list[str]] = {}
            for line in lines:
                for group in line.groups:
                    members.setdefault(group, []).append(line.name)
            for group, names in members.items():
                actor.demand(Target(group=group), "groups")
                await self._add(tx, actor, by, group, names)
            tx.changed(RIGHTS)
        return len(new), len(members)

    async def create_one(self, actor: Actor, by: By, name: str, *, admin: bool) -> str:
        """Create one person; raises `UserExists`. Returns the folded name."""
        new, _ = await self.create(actor, by, [name], admin=admin)
        if not new:
            raise UserExists(f"User {parse_user_name(name)} already exists")
        return new[0]

    async def set_admin(self, tx: Tx, actor: Actor, by: By, person: Person, admin: bool) -> None:
        """Make somebody an administrator, or no longer one, as part of a larger change."""
        if person.admin == admin:
            return
        await self._may_make_admin(tx, actor)
        if not admin and person.source is Source.SETTINGS:
            raise Declared(f"That {person.name} is an administrator")
        await store.update_person(tx, person.id, admin=admin)
        await groups.check_launched(tx, person.id)
        before, after = {"admin": person.admin}, {"admin": admin}
        insert_entry(tx, by, "user.admin", person.label, before=before, after=after)
        tx.changed(RIGHTS)

    async def create_group(
        self, actor: Actor, by: By, name: str, *, members: Sequence[object], properties: Mapping[str, Any]
    ) -> Group:
        """Create one group; raises `GroupExists`."""
        parse_group_name(name)
        async with self.db.write() as tx:
            return await self._create_group(tx, by, name, members, dict(properties))

    async def create_groups(
        self,
        actor: Actor,
        by: By,
        wanted: Mapping[str, Sequence[object]],
    ) -> list[Group]:
        """Create groups with their members: all, or none."""
        for name in wanted:
            parse_group_name(name)
        async with self.db.write() as tx:
            return [await self._create_group(tx, by, name, members, {}) for name, members in wanted.items()]

    async def _create_group(
        self, tx: Tx, by: By, name: str, members: Sequence[object], properties: dict[str, Any]
    ) -> Group:
        group_id = await groups.insert_group(tx, name, properties, Source.API)
        ids = await self._ids(tx, members)
        await groups.insert_members(tx, group_id, ids.values(), Source.API)
        after = {"members": list(ids), "properties": properties}
        insert_entry(tx, by, "group.create", f"group:{name}", after=after)
        tx.changed(*rights_of(ids.values()))
        return Group(group_id, name, tuple(ids), (), properties, Source.API)

    async def delete_group(self, by: By, name: str) -> None:
        """Delete a group; one that the settings file declares, or gives roles to, cannot be.

        Whoever made it again would choose who holds those roles after the hub's next start.
        """
        async with self.db.write() as tx:
            group = await groups.get_group(tx, name)
            if group.source is Source.SETTINGS or group.roles:
                raise Declared(f"The group {group.name}")
            await groups.delete_group(tx, group.id)
            before = {"members": list(group.members), "properties": group.properties}
            insert_entry(tx, by, "group.delete", group.label, before=before)
            if group.members:
                tx.changed(RIGHTS)

    async def set_properties(self, by: By, name: str, properties: Mapping[str, Any]) -> Group:
        """Replace a group's properties."""
        async with self.db.write() as tx:
            group = await groups.get_group(tx, name)
            if group.source is Source.SETTINGS and group.properties != properties:
                raise Declared(f"What the properties of {group.name} are")
            await groups.update_group(tx, group.id, properties=dict(properties))
            insert_entry(
                tx, by, "group.properties", group.label, before=group.properties, after=dict(properties)
            )
            return await groups.get_group(tx, name)

    async def add_members(self, actor: Actor, by: By, name: str, members: Sequence[object]) -> Group:
        """Add people to a group, all or none."""
        async with self.db.write() as tx:
            return await self._add(tx, actor, by, name, members)

    async def _add(self, tx: Tx, actor: Actor, by: By, name: str, members: Sequence[object]) -> Group:
        group = await groups.get_group(tx, name)
        ids = await self._ids(tx, members)
        await self._may_give_roles(tx, actor, group)
        present = set(group.members)
        new = {member: key for member, key in ids.items() if member not in present}
        await groups.insert_members(tx, group.id, new.values(), Source.API)
        insert_entry(tx, by, "group.members.add", group.label, after=list(ids))
        tx.changed(*rights_of(new.values()))
        return replace(group, members=(*group.members, *new))

    async def remove_members(self, by: By, name: str, members: Sequence[object]) -> Group:
        """Remove people from a group; members whom the settings file declares stay (`Declared`)."""
        async with self.db.write() as tx:
            group = await groups.get_group(tx, name)
            ids = await self._ids(tx, members)
            declared = await groups.find_declared_members(tx, group.id)
            for member, key in ids.items():
                if key in declared:
                    raise Declared(f"That {member} is a member of {group.name}")
            await groups.delete_members(tx, group.id, ids.values())
            insert_entry(tx, by, "group.members.remove", group.label, before=list(ids))
            tx.changed(*rights_of(ids.values()))
            return replace(group, members=tuple(member for member in group.members if member not in ids))

    async def person(self, name: str) -> Person:
        """One person; raises `NoSuchUser`."""
        async with self.db.read() as tx:
            return await store.get_person(tx, name)

    async def _ids(self, tx: Tx, members: Sequence[object]) -> dict[str, int]:
        names = [parse_user_name(member) for member in members]
        ids = await store.find_ids(tx, names) if names else {}
        for name in names:
            if name not in ids:
                raise Invalid(f"No such user: {name}")
        return ids

    async def _may_make_admin(self, tx: Tx, actor: Actor) -> None:
        role = Grants.of(await access_store.get_role_scopes(tx, "admin"))
        if not role.within(actor.grants()):
            raise MayNotGrant(
                "Only somebody who holds the whole role of an administrator may give or take it."
            )

    async def _may_give_roles(self, tx: Tx, actor: Actor, group: Group) -> None:
        for role in group.roles:
            scopes = Grants.of(await access_store.get_role_scopes(tx, role))
            if not scopes.within(actor.grants(), user=actor.name, groups=actor.groups):
                raise MayNotGrant(
                    f"Membership of {group.name} gives the role {role}, which holds more than you do.",
                    "Ask somebody who holds that much.",
                )
