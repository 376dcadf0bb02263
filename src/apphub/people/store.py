"""Rows of people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.types import json_rows
from apphub.people.model import SOURCES, NoSuchUser, Person, Source

u = t.users.c

#: Names of the groups of a user row, as JSON.
group_names = (
    sa.select(json_rows(t.groups.c.name))
    .join(t.memberships, t.memberships.c.group_id == t.groups.c.id)
    .where(t.memberships.c.user_id == u.id)
    .scalar_subquery()
)

#: Names of the roles of a user row beside those that follow by themselves, as JSON.
role_names = (
    sa.select(json_rows(t.roles.c.name))
    .join(t.holders, t.holders.c.role_id == t.roles.c.id)
    .where(t.holders.c.user_id == u.id)
    .scalar_subquery()
)

#: The columns that `person_of` reads, in its order.
PERSON = (
    u.id,
    u.name,
    u.admin,
    group_names.label("groups"),
    role_names.label("roles"),
    u.created,
    u.last_activity,
    u.info,
    u.source,
)

_FIND = sa.select(*PERSON).where(u.name == sa.bindparam("name"), u.deleted.is_(None))
#: Rows that only refer to the person may still be written: tokens of their servers.
_LOCK = _FIND.with_for_update(of=t.users, key_share=True)
_LOCK_ALL = (
    sa.select(*PERSON)
    .where(among(u.name, "names"), u.deleted.is_(None))
    .order_by(u.id)
    .with_for_update(of=t.users, key_share=True)
)
_EXISTING = sa.select(u.name).where(u.name.in_(sa.bindparam("names", expanding=True)))
_IDS = sa.select(u.name, u.id).where(u.name.in_(sa.bindparam("names", expanding=True)), u.deleted.is_(None))


def person_of(row: Any) -> Person:
    """The value of a row that starts with `PERSON`."""
    return Person(
        row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), row[5], row[6], row[7], SOURCES[row[8]]
    )


async def find_person(tx: Tx, name: str) -> Person | None:
    """The person of this name, if any."""
    row = (await tx.execute(_FIND, {"name": name})).first()
    return None if row is None else person_of(row)


async def lock_person(tx: Tx, name: str) -> Person:
    """The person of this name, of whom no other transaction changes or adds anything meanwhile that locks, too.

    Raises `NoSuchUser`.
    """
    found = await lock_people(tx, [name])
    if name not in found:
        raise NoSuchUser(name)
    return found[name]


async def lock_people(tx: Tx, names: Collection[str]) -> dict[str, Person]:
    """The same of several people, by their names: those that there are."""
    if len(names) > 1:
        rows = (await tx.execute(_LOCK_ALL, {"names": names})).all()
    else:
        rows = (await tx.execute(_LOCK, {"name": next(iter(names), "")})).all()
    return {person.name: person for person in map(person_of, rows)}


async def get_person(tx: Tx, name: str) -> Person:
    """The person of this name; raises `NoSuchUser`."""
    person = await find_person(tx, name)
    if person is None:
        raise NoSuchUser(name)
    return person


async def find_password(tx: Tx, name: str) -> str | None:
    """The argon2 hash of the person's password, if there is one."""
    statement = sa.select(u.password).where(u.name == name, u.deleted.is_(None))
    return (await tx.execute(statement)).scalar()


async def find_existing(tx: Tx, names: Sequence[str]) -> set[str]:
    """Which of these names are taken (also by somebody who is being deleted)."""
    return set((await tx.execute(_EXISTING, {"names": list(names)})).scalars())


async def find_ids(tx: Tx, names: Sequence[str]) -> dict[str, int]:
    """Ids of those of these people who exist."""
    return {row[0]: row[1] for row in await tx.execute(_IDS, {"names": list(names)})}


async def count_admins(tx: Tx) -> int:
    """How many administrators there are."""
    statement = sa.select(sa.func.count()).where(u.admin, u.deleted.is_(None))
    return int((await tx.execute(statement)).scalar_one())


async def insert_people(tx: Tx, names: Sequence[str], *, admin: bool, source: Source, now: datetime) -> None:
    """Create people, in one statement."""
    rows = [{"name": name, "admin": admin, "created": now, "source": source} for name in names]
    if rows:
        await tx.execute(sa.insert(t.users), rows)


async def update_person(tx: Tx, user_id: int, **values: Any) -> None:
    """Set columns of one person."""
    await tx.execute(sa.update(t.users).where(u.id == user_id).values(**values))


async def delete_person(tx: Tx, user_id: int) -> None:
    """Forget a person and all that hangs on the row."""
    await tx.execute(sa.delete(t.users).where(u.id == user_id))


async def end_sessions(tx: Tx, user_id: int) -> None:
    """End all sign-ins of a person, and what they granted to apps."""
    await tx.execute(sa.delete(t.sessions).where(t.sessions.c.user_id == user_id))
