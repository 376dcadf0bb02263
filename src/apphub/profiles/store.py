"""Rows of profiles: what they are, what they were, and who may launch them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.changes import CHECKS, PROFILES
from apphub.people.model import Source
from apphub.profiles.model import EVERYONE, Binding, Holders

p = t.profiles.c
v = t.profile_versions.c
b = t.profile_bindings.c


class Row(Struct, frozen=True):
    """A profile with its current version, as it is kept."""

    id: int
    slug: str
    version: int
    position: int
    withdrawn: datetime | None
    source: Source
    definition: dict[str, Any]


class Version(Struct, frozen=True):
    """What a profile was at some time."""

    number: int
    definition: dict[str, Any]
    created: datetime
    actor: str


_ROW = (
    sa.select(p.id, p.slug, p.version, p.position, p.withdrawn, p.source, v.definition)
    .join(t.profile_versions, sa.and_(v.profile_id == p.id, v.number == p.version))
    .order_by(p.source == Source.API, p.position, p.id)
)
_STAMP = sa.select(sa.func.coalesce(sa.func.sum(p.revision), 0))
_BINDING = (
    sa.select(b.profile_id, b.id, b.user_id, t.users.c.name, b.group_name, b.role_name, b.options, b.source)
    .outerjoin(t.users, t.users.c.id == b.user_id)
    .order_by(b.id)
)


def _row_of(row: Any) -> Row:
    return Row(row[0], row[1], row[2], row[3], row[4], Source(row[5]), row[6])


async def find_stamp(tx: Tx) -> int:
    """A number that is another one whenever anything about any profile has changed."""
    return int((await tx.execute(_STAMP)).scalar_one())


async def list_rows(tx: Tx, *, withdrawn: bool = False) -> list[Row]:
    """All profiles, in the order they are shown; those that are withdrawn only if asked for."""
    statement = _ROW if withdrawn else _ROW.where(p.withdrawn.is_(None))
    return [_row_of(row) for row in await tx.execute(statement)]


async def find_row(tx: Tx, slug: str) -> Row | None:
    """The profile of this name, withdrawn or not."""
    row = (await tx.execute(_ROW.where(p.slug == slug))).first()
    return None if row is None else _row_of(row)


async def insert_profile(tx: Tx, slug: str, *, position: int, source: Source) -> int:
    """Make a profile whose first version follows; its id."""
    statement = sa.insert(t.profiles).values(slug=slug, version=1, position=position, source=source)
    tx.changed(PROFILES)
    return int((await tx.execute(statement.returning(p.id))).scalar_one())


async def update_profile(tx: Tx, profile_id: int, **values: Any) -> None:
    """Set columns of one profile."""
    await tx.execute(
        sa.update(t.profiles).where(p.id == profile_id).values(revision=p.revision + 1, **values)
    )
    tx.changed(PROFILES)


async def insert_version(
    tx: Tx, profile_id: int, number: int, definition: Mapping[str, Any], *, actor: str, now: datetime
) -> None:
    """Note what a profile is from now on."""
    await tx.execute(
        sa.insert(t.profile_versions).values(
            profile_id=profile_id, number=number, definition=dict(definition), created=now, actor=actor
        )
    )


async def list_versions(tx: Tx, profile_id: int) -> list[Version]:
    """What a profile was and is, newest first."""
    statement = sa.select(v.number, v.definition, v.created, v.actor).where(v.profile_id == profile_id)
    return [Version(*row) for row in await tx.execute(statement.order_by(v.number.desc()))]


async def find_definition(tx: Tx, profile_id: int, number: int) -> dict[str, Any] | None:
    """One version of a profile."""
    statement = sa.select(v.definition).where(v.profile_id == profile_id, v.number == number)
    found: dict[str, Any] | None = (await tx.execute(statement)).scalar()
    return found


async def last_number(tx: Tx, profile_id: int) -> int:
    """The highest version number of a profile."""
    statement = sa.select(sa.func.max(v.number)).where(v.profile_id == profile_id)
    return int((await tx.execute(statement)).scalar_one())


# -- who may launch ------------------------------------------------------------------------


async def list_bindings(tx: Tx, profile_id: int | None = None) -> dict[int, tuple[Binding, ...]]:
    """Bindings by profile; of one profile, or of all."""
    statement = _BINDING if profile_id is None else _BINDING.where(b.profile_id == profile_id)
    found: dict[int, tuple[Binding, ...]] = {}
    for row in await tx.execute(statement):
        binding = Binding(row[1], row[2], row[3], row[4], row[5], row[6], Source(row[7]))
        found[row[0]] = (*found.get(row[0], ()), binding)
    return found


async def insert_binding(
    tx: Tx,
    profile_id: int,
    *,
    user_id: int | None = None,
    group: str | None = None,
    role: str | None = None,
    options: Mapping[str, Any] | None = None,
    source: Source = Source.API,
) -> int:
    """Let somebody in; its id."""
    statement = sa.insert(t.profile_bindings).values(
        profile_id=profile_id,
        user_id=user_id,
        group_name=group,
        role_name=role,
        options=dict(options) if options else None,
        source=source,
    )
    return int((await tx.execute(statement.returning(b.id))).scalar_one())


async def delete_binding(tx: Tx, binding_id: int) -> None:
    """Let somebody in no longer."""
    await tx.execute(sa.delete(t.profile_bindings).where(b.id == binding_id))


async def list_holders(tx: Tx) -> dict[str, Holders]:
    """Who holds each role, by name, beside those whom it follows by itself."""
    statement = (
        sa.select(t.roles.c.name, t.holders.c.user_id, t.groups.c.name)
        .join(t.roles, t.roles.c.id == t.holders.c.role_id)
        .outerjoin(t.groups, t.groups.c.id == t.holders.c.group_id)
        .where(t.holders.c.service_id.is_(None))
    )
    users: dict[str, set[int]] = {}
    groups: dict[str, set[str]] = {}
    for role, user, group in await tx.execute(statement):
        if user is not None:
            users.setdefault(role, set()).add(user)
        if group is not None:
            groups.setdefault(role, set()).add(group)
    return {
        role: Holders(frozenset(users.get(role, ())), frozenset(groups.get(role, ())))
        for role in users.keys() | groups.keys()
    }


async def role_exists(tx: Tx, name: str) -> bool:
    """Whether there is a role of this name."""
    return (await tx.execute(sa.select(t.roles.c.id).where(t.roles.c.name == name))).first() is not None


async def touch_bound_to_roles(tx: Tx) -> None:
    """Who holds which role may have changed: read profiles again that are bound to any."""
    bound = sa.select(b.profile_id).where(b.role_name.is_not(None), b.role_name != EVERYONE)
    await tx.execute(sa.update(t.profiles).where(p.id.in_(bound)).values(revision=p.revision + 1))
    await tx.execute(sa.insert(t.launch_checks).from_select(["profile_id"], bound.distinct()))
    tx.changed(PROFILES, CHECKS)


async def insert_check(tx: Tx, profile_id: int) -> None:
    """Somebody may have lost the right to launch this profile: have its running servers looked at."""
    await tx.execute(sa.insert(t.launch_checks).values(profile_id=profile_id))
    tx.changed(CHECKS)
