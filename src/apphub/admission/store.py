"""Rows of the line and of what servers take. Nothing here looks at servers that are stopped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.admission.model import HUB, Amount, Scope, Waiting
from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.lock import LINE, take_turns
from apphub.db.types import Moment
from apphub.db.upsert import Upsert

c = t.servers.c
u = t.users.c
g = t.groups.c
l = t.line.c  # noqa: E741 - one letter for each table

_STARTING = ("stopped", "failed", "starting")
_ORDER = (c.turn, c.group_turn, c.requested, c.id)

_LINE = (
    sa.select(c.id, c.user_id, u.name, c.profile_id, c.cpu, c.memory)
    .join(t.users, u.id == c.user_id)
    .where(t.WAITING)
    .order_by(*_ORDER)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .offset(sa.bindparam("after", type_=sa.Integer))
)
_DUE_LINE = _LINE.where(
    c.due <= sa.bindparam("now", type_=Moment),
    sa.or_(c.lease_until.is_(None), c.lease_until < sa.bindparam("now", type_=Moment)),
)
_ANYBODY = sa.select(sa.literal(1)).select_from(t.servers).where(t.WAITING).limit(1)
_COUNT_LINE = sa.select(sa.func.count()).select_from(t.servers).where(t.WAITING)
_COUNT_HELD = sa.select(sa.func.count()).select_from(t.servers).where(t.HELD)
_COUNT_STARTING = sa.select(sa.func.count()).where(t.HELD, c.phase.in_(_STARTING))
_SUMS = (sa.func.count(), sa.func.coalesce(sa.func.sum(c.cpu), 0), sa.func.coalesce(sa.func.sum(c.memory), 0))
_HUB_TAKES = sa.select(*_SUMS).where(t.HELD)
_USERS_TAKE = (
    sa.select(c.user_id, *_SUMS)
    .where(t.HELD, c.user_id.in_(sa.bindparam("users", expanding=True)))
    .group_by(c.user_id)
)
_PROFILES_TAKE = (
    sa.select(c.profile_id, *_SUMS)
    .where(t.HELD, c.profile_id.in_(sa.bindparam("profiles", expanding=True)))
    .group_by(c.profile_id)
)
_GROUPS_TAKE = (
    sa.select(g.name, *_SUMS)
    .select_from(t.servers)
    .join(t.memberships, t.memberships.c.user_id == c.user_id)
    .join(t.groups, g.id == t.memberships.c.group_id)
    .where(t.HELD, g.name.in_(sa.bindparam("groups", expanding=True)))
    .group_by(g.name)
)
_GROUPS_OF = (
    sa.select(t.memberships.c.user_id, g.name)
    .join(t.groups, g.id == t.memberships.c.group_id)
    .where(
        t.memberships.c.user_id.in_(sa.bindparam("users", expanding=True)),
        g.name.in_(sa.bindparam("groups", expanding=True)),
    )
    .order_by(g.name)
)
_TURN = sa.func.coalesce(sa.select(l.turn).scalar_subquery(), 0)
_GROUP_TURN = sa.func.coalesce(sa.select(l.group_turn).scalar_subquery(), 0)
_TAKE_TURN = (
    sa.update(t.users)
    .where(u.id == sa.bindparam("user"))
    .values(
        turn=sa.case((u.turn + 1 > _TURN, u.turn + 1), else_=_TURN),
        last_activity=sa.case(
            (u.last_activity > sa.bindparam("now", type_=Moment), u.last_activity),
            else_=sa.bindparam("now", type_=Moment),
        ),
    )
    .returning(u.turn, sa.exists(_ANYBODY), _GROUP_TURN)
)
_LEAST = (
    sa.select(g.id)
    .join(t.memberships, t.memberships.c.group_id == g.id)
    .where(t.memberships.c.user_id == sa.bindparam("user"))
    .order_by(g.turn, g.id)
    .limit(1)
)
_TAKE_GROUP_TURN = (
    sa.update(t.groups)
    .where(g.id == _LEAST.scalar_subquery())
    .values(turn=sa.case((g.turn > _GROUP_TURN, g.turn), else_=_GROUP_TURN) + 1)
    .returning(sa.bindparam("user", type_=sa.BigInteger), g.turn)
)
_TURNS_OF = sa.select(
    sa.func.max(c.turn),
    sa.func.max(c.group_turn),
).where(among(c.id, "ids"))


_FORWARD = Upsert(
    t.line,
    key=["id"],
    change=lambda new: {
        "turn": sa.case((new.turn > l.turn, new.turn), else_=l.turn),
        "group_turn": sa.case((new.group_turn > l.group_turn, new.group_turn), else_=l.group_turn),
    },
)
_PUT_TIME = Upsert(t.start_times, key=["profile_id"], change=lambda new: {"seconds": new.seconds})


async def list_line(tx: Tx, most: int, after: int = 0, due: datetime | None = None) -> list[Waiting]:
    """Who waits, in order; with `due` those who may be let in then. Their groups are not filled in."""
    values: dict[str, Any] = {"most": most, "after": after}
    if due is not None:
        values["now"] = due
    rows = await tx.execute(_LINE if due is None else _DUE_LINE, values)
    return [Waiting(*row) for row in rows]


async def anybody_waits(tx: Tx) -> bool:
    """Whether there is a line at all."""
    return (await tx.execute(_ANYBODY)).first() is not None


async def count_active(tx: Tx) -> int:
    """How many servers wait, run, or are on their way, in the whole hub."""
    waiting = (await tx.execute(_COUNT_LINE)).scalar_one()
    return int(waiting + (await tx.execute(_COUNT_HELD)).scalar_one())


async def count_starting(tx: Tx) -> int:
    """How many starts are under way in the whole hub."""
    return int((await tx.execute(_COUNT_STARTING)).scalar_one())


async def groups_of(tx: Tx, users: Collection[int], groups: Collection[str]) -> dict[int, tuple[str, ...]]:
    """Which of these groups each of these users is in."""
    found: dict[int, tuple[str, ...]] = {}
    for user, name in await tx.execute(_GROUPS_OF, {"users": list(users), "groups": list(groups)}):
        found[user] = (*found.get(user, ()), name)
    return found


async def takes(
    tx: Tx, *, hub: bool, users: Collection[int], groups: Collection[str], profiles: Collection[int]
) -> dict[Scope, Amount]:
    """What is taken of each of these by servers that were let in and have not stopped."""
    found: dict[Scope, Amount] = {}
    if hub:
        found[HUB] = Amount(*map(int, (await tx.execute(_HUB_TAKES)).one()))
    for user, *sums in await _some(tx, _USERS_TAKE, users=users):
        found[Scope("user", user)] = Amount(*map(int, sums))
    for profile, *sums in await _some(tx, _PROFILES_TAKE, profiles=profiles):
        found[Scope("profile", profile)] = Amount(*map(int, sums))
    for group, *sums in await _some(tx, _GROUPS_TAKE, groups=groups):
        found[Scope("group", group)] = Amount(*map(int, sums))
    return found


async def _some(tx: Tx, statement: sa.Select[Any], **names: Collection[Any]) -> list[Any]:
    if not any(names.values()):
        return []
    return list(await tx.execute(statement, {name: list(values) for name, values in names.items()}))


async def take_places(tx: Tx, users: Sequence[int], now: datetime) -> list[tuple[int, int]]:
    """The turn of each person's next start, and that of their group in it; they were active now, too.

    Turns only rise: a person's next one comes after their last, and nobody new comes before the
    turn that is being let in. Groups take turns in the same way once there is a line, as there is for
    all of these but the first. Somebody in several counts for the one that has had least; somebody in
    none is a group of one.
    """
    rows = (await tx.execute(_TAKE_TURN, [{"user": user, "now": now} for user in users])).all()
    behind = [user for number, (user, row) in enumerate(zip(users, rows, strict=True)) if number or row[1]]
    turns = await _take_group_turns(tx, behind)
    return [
        (turn, group_turn if user not in turns else turns[user] or group_turn + 1)
        for user, (turn, _, group_turn) in zip(users, rows, strict=True)
    ]


async def _take_group_turns(tx: Tx, users: Sequence[int]) -> dict[int, int | None]:
    """The turn of each person's group; None for those who are in no group."""
    if not users:
        return {}
    await take_turns(tx, LINE)  # who takes several could wait in a circle with others who do
    return dict.fromkeys(users, None) | {
        row[0]: row[1] for row in await tx.execute(_TAKE_GROUP_TURN, [{"user": user} for user in users])
    }


async def note_turns(tx: Tx, ids: Collection[int]) -> None:
    """Whose turn it is, now that these are let in."""
    turn, group_turn = (await tx.execute(_TURNS_OF, {"ids": ids})).one()
    await _FORWARD(tx, {"id": 1, "turn": turn, "group_turn": group_turn})


async def list_times(tx: Tx) -> dict[int, float]:
    """How long starts of each profile took lately, in seconds."""
    rows = await tx.execute(sa.select(t.start_times.c.profile_id, t.start_times.c.seconds))
    return {row[0]: row[1] for row in rows}


async def put_time(tx: Tx, profile_id: int, seconds: float) -> None:
    """Note how long starts of a profile take."""
    await _PUT_TIME(tx, {"profile_id": profile_id, "seconds": seconds})
