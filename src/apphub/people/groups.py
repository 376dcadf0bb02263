"""Rows of groups and memberships."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Raw

from apphub.access.actor import Reach
from apphub.db import Clash, Tx
from apphub.db import tables as t
from apphub.db.changes import CHECKS
from apphub.db.types import json_rows
from apphub.people.model import SOURCES, Group, GroupExists, ListedGroup, NoSuchGroup, Source

g = t.groups.c
m = t.memberships.c

_MEMBERS = (
    sa.select(json_rows(t.users.c.name))
    .join(t.memberships, m.user_id == t.users.c.id)
    .where(m.group_id == g.id, t.users.c.deleted.is_(None))
    .scalar_subquery()
)
_ROLES = (
    sa.select(json_rows(t.roles.c.name))
    .join(t.holders, t.holders.c.role_id == t.roles.c.id)
    .where(t.holders.c.group_id == g.id)
    .scalar_subquery()
)
_GROUP = (g.id, g.name, _MEMBERS.label("members"), _ROLES.label("roles"), g.properties, g.source)
_LISTED = (g.id, g.name, sa.cast(_MEMBERS, sa.Text), _ROLES.label("roles"), g.properties)
_FIND = sa.select(*_GROUP).where(g.name == sa.bindparam("name"))
_INSERT = sa.insert(t.groups).returning(g.id)
_DELETE = sa.delete(t.groups).where(g.id == sa.bindparam("group"))
_MEMBER_IDS = sa.select(m.user_id).where(m.group_id == sa.bindparam("group"))
_DECLARED = _MEMBER_IDS.where(m.source == Source.SETTINGS)
_INSERT_MEMBERS = sa.insert(t.memberships)
_DELETE_MEMBERS = sa.delete(t.memberships).where(
    m.group_id == sa.bindparam("group"), m.user_id.in_(sa.bindparam("users", expanding=True))
)


#: People who have launched anything, so that there may be something to look at.
_LAUNCHED = sa.select(t.servers.c.user_id).where(t.servers.c.profile_id.is_not(None)).distinct()
_OF_GROUP = sa.select(m.user_id).where(m.group_id == sa.bindparam("group"))
_CHECK = sa.insert(t.launch_checks).from_select(
    ["user_id"], _LAUNCHED.where(t.servers.c.user_id.in_(sa.bindparam("users", expanding=True)))
)
_CHECK_ALL = sa.insert(t.launch_checks).from_select(
    ["user_id"], _LAUNCHED.where(t.servers.c.user_id.in_(_OF_GROUP))
)
#: Whoever comes (back) into a group may launch again what was about to end.
_CHECK_ENDING = sa.insert(t.launch_checks).from_select(
    ["user_id"],
    _LAUNCHED.where(
        t.servers.c.user_id.in_(sa.bindparam("users", expanding=True)), t.servers.c.ends.is_not(None)
    ),
)


def _group_of(row: Any) -> Group:
    return Group(row[0], row[1], tuple(row[2]), tuple(row[3]), row[4], SOURCES[row[5]])


def _within(clauses: int) -> list[sa.ColumnElement[bool]]:
    return [g.name.in_(sa.bindparam(f"names{number}", expanding=True)) for number in range(clauses)]


def _names(reach: Reach) -> dict[str, Any]:
    """The values of what `_within` compares with."""
    return {
        f"names{number}": [narrowing.value for narrowing in clause if narrowing.kind == "group"]
        for number, clause in enumerate(reach.clauses)
    }


@lru_cache(16)
def _listing(clauses: int) -> sa.Select[Any]:
    """One object for each number of clauses, so that it is written out once."""
    page = sa.select(*_LISTED).where(*_within(clauses)).order_by(g.id)
    return page.offset(sa.bindparam("offset")).limit(sa.bindparam("limit"))


@lru_cache(16)
def _counting(clauses: int) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(t.groups).where(*_within(clauses))


async def find_group(tx: Tx, name: str) -> Group | None:
    """The group of this name, if any."""
    row = (await tx.execute(_FIND, {"name": name})).first()
    return None if row is None else _group_of(row)


async def get_group(tx: Tx, name: str) -> Group:
    """The group of this name; raises `NoSuchGroup`."""
    group = await find_group(tx, name)
    if group is None:
        raise NoSuchGroup(name)
    return group


async def list_groups(tx: Tx, reach: Reach, *, offset: int, limit: int) -> list[ListedGroup]:
    """A page of groups, oldest first."""
    values = {**_names(reach), "offset": offset, "limit": limit}
    return [
        ListedGroup(row[0], row[1], Raw(row[2].encode()), tuple(row[3]), row[4])
        for row in await tx.execute(_listing(len(reach.clauses)), values)
    ]


async def count_groups(tx: Tx, reach: Reach) -> int:
    """How many groups there are within reach."""
    return int((await tx.execute(_counting(len(reach.clauses)), _names(reach))).scalar_one())


async def insert_group(tx: Tx, name: str, properties: Mapping[str, Any], source: Source) -> int:
    """Create an empty group; its id. Raises `GroupExists`."""
    values = {"name": name, "properties": dict(properties), "source": source}
    try:
        return int((await tx.execute(_INSERT, values)).scalar_one())
    except Clash as error:
        raise GroupExists(f"Group {name} already exists") from error


async def update_group(tx: Tx, group_id: int, **values: Any) -> None:
    """Set columns of one group."""
    await tx.execute(sa.update(t.groups).where(g.id == group_id).values(**values))


async def delete_group(tx: Tx, group_id: int) -> None:
    """Forget a group; its memberships and roles go with it."""
    await _check(tx, _CHECK_ALL, {"group": group_id})
    await tx.execute(_DELETE, {"group": group_id})


async def find_member_ids(tx: Tx, group_id: int) -> set[int]:
    """Ids of all members."""
    return set((await tx.execute(_MEMBER_IDS, {"group": group_id})).scalars())


async def insert_members(tx: Tx, group_id: int, user_ids: Iterable[int], source: Source) -> None:
    """Add people who are no members yet."""
    rows = [{"group_id": group_id, "user_id": key, "source": source} for key in user_ids]
    if rows:
        await tx.execute(_INSERT_MEMBERS, rows)
        await _check(tx, _CHECK_ENDING, {"users": [row["user_id"] for row in rows]})


async def find_declared_members(tx: Tx, group_id: int) -> set[int]:
    """Ids of the members whom the settings file guarantees."""
    return set((await tx.execute(_DECLARED, {"group": group_id})).scalars())


async def delete_members(tx: Tx, group_id: int, user_ids: Iterable[int]) -> None:
    """Remove people from a group."""
    values = {"group": group_id, "users": list(user_ids)}
    await tx.execute(_DELETE_MEMBERS, values)
    await _check(tx, _CHECK, {"users": values["users"]})


async def check_launched(tx: Tx, user_id: int) -> None:
    """Somebody may have lost the right to launch what they run: have it looked at."""
    await _check(tx, _CHECK, {"users": [user_id]})


async def _check(tx: Tx, statement: sa.Insert, values: Mapping[str, Any]) -> None:
    """Note those of them who have launched anything; where nobody has, nobody need look."""
    if (await tx.execute(statement, values)).rowcount:
        tx.changed(CHECKS)


async def list_memberships(tx: Tx, most: int) -> list[tuple[str, str]]:
    """Every group with each of its members, by name."""
    statement = (
        sa.select(g.name, t.users.c.name)
        .join_from(t.groups, t.memberships, m.group_id == g.id)
        .join(t.users, t.users.c.id == m.user_id)
        .where(t.users.c.deleted.is_(None))
        .order_by(g.name, t.users.c.name)
        .limit(most)
    )
    return [(group, user) for group, user in await tx.execute(statement)]
