"""Rows of servers, as the reconciler and the publisher see them.

Every change of the reconciler's names the lease under which it works: zero rows changed
means that somebody else owns the server by now, and the result is thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.kit.addresses import Address
from apphub.replicas.store import held_by_all
from apphub.runtimes.base import Ref
from apphub.servers.model import LIVE, Phase, Server, Wanted
from apphub.servers.store import SERVER, server_of

c = t.servers.c


#: Spelled so that it leads no database to the index of ports, which holds all servers of the place.
_HERE = sa.func.coalesce(c.place, sa.bindparam("here")) == sa.bindparam("here")
_DUE = (
    sa.select(c.id)
    .where(
        c.due <= sa.bindparam("now"),
        sa.or_(c.lease_until.is_(None), c.lease_until < sa.bindparam("now")),
        sa.not_(t.WAITING),
        _HERE,
    )
    .order_by(c.due)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
#: Of one that is held and asked for meanwhile nothing is known here: whoever holds it tells.
_NEXT_DUE = (
    sa.select(c.due)
    .where(
        c.due.is_not(None),
        sa.or_(c.lease_until.is_(None), c.lease_until <= c.due),
        sa.not_(t.WAITING),
        _HERE,
    )
    .order_by(c.due)
    .limit(1)
)
_USED_PORTS = sa.select(c.port).where(c.place == sa.bindparam("here"), among(c.port, "ports"))
_LEASE = (
    sa.update(t.servers)
    .where(among(c.id, "ids"))
    .values(lease=sa.bindparam("token"), lease_until=sa.bindparam("until"), due=sa.bindparam("until"))
)


async def list_due(tx: Tx, place: str, now: datetime, limit: int) -> list[int]:
    """Servers to look at that need no admission, longest due first; those of other places are not ours."""
    return (await tx.execute(_DUE, {"here": place, "now": now, "most": limit})).scalars()


async def find_next_due(tx: Tx, place: str) -> datetime | None:
    """When the next server of this place is due, or its lease lapses."""
    return (await tx.execute(_NEXT_DUE, {"here": place})).scalar()


async def list_used_ports(tx: Tx, place: str, ports: Collection[int]) -> set[int]:
    """Those of these ports that servers of this place have."""
    return set((await tx.execute(_USED_PORTS, {"here": place, "ports": ports})).scalars())


async def lease(tx: Tx, ids: Collection[int], token: str, until: datetime) -> None:
    """Take servers for a while; until that ends they are due only where somebody asks for something."""
    await tx.execute(_LEASE, {"ids": ids, "token": token, "until": until})


#: One that was stopped and asked for again since the look at the line was not measured for that: its turn is the next.
_ADMIT = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"), t.WAITING, c.requested <= sa.bindparam("now"))
    .values(
        admitted=sa.bindparam("now"),
        place=sa.bindparam("at"),
        ip=sa.bindparam("address"),
        port=sa.bindparam("number"),
        reason=None,
    )
    .returning(c.id)
)


async def admit(tx: Tx, addresses: Mapping[int, Address], place: str, now: datetime) -> list[int]:
    """Let servers in, by their ids: their starts begin now, here. Those that still wait as they did at `now`."""
    sets = [
        {"server": server_id, "now": now, "at": place, "address": address.ip, "number": address.port}
        for server_id, address in sorted(addresses.items())
    ]
    return (await tx.execute(_ADMIT, sets)).scalars() if sets else []


async def turn_away(tx: Tx, server_id: int, reason: str) -> bool:
    """End a start that can never be let in; False when it waits no longer."""
    statement = (
        sa.update(t.servers)
        .where(c.id == server_id, t.WAITING)
        .values(phase=Phase.FAILED, phase_attempt=c.attempt, reason=reason, due=None)
    )
    return (await tx.execute(statement)).rowcount > 0


_OURS = sa.and_(c.id == sa.bindparam("server"), c.lease == sa.bindparam("held_by"))
_CHANGE = sa.update(t.servers).where(_OURS).returning(c.id)
_RELEASE = _CHANGE.values(
    lease=None,
    lease_until=None,
    due=sa.case(
        (
            sa.and_(c.attempt == sa.bindparam("seen"), c.wanted == sa.bindparam("seen_wanted")),
            sa.bindparam("next_due", type_=c.due.type),
        ),
        else_=c.due,
    ),
)


async def change_leased(tx: Tx, changes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Set columns of servers that are ours; the ids of those that still are.

    Each change names the `server`, the lease that it is `held_by`, and columns. With `seen`, `seen_wanted`
    and `next_due` the server is given back, to be looked at then: at once if its attempt or what is wanted
    of it is no longer what was seen. In the order of ids, so that no two who do this wait in a circle.
    """
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for change in sorted(changes, key=lambda change: change["server"]):
        alike.setdefault(tuple(change), []).append(change)
    done: set[int] = set()
    for names, some in alike.items():
        done.update((await tx.execute(_RELEASE if "seen" in names else _CHANGE, some)).scalars())
    return done


_RENEW = (
    sa.update(t.servers)
    .where(_OURS)
    .values(
        lease_until=sa.bindparam("until"),
        due=sa.case((c.due == c.lease_until, sa.bindparam("until")), else_=c.due),
    )
)


async def renew(tx: Tx, server_id: int, token: str, until: datetime) -> bool:
    """Hold a server longer; False when it is no longer ours."""
    values = {"server": server_id, "held_by": token, "until": until}
    return (await tx.execute(_RENEW, values)).rowcount > 0


async def update_leased(tx: Tx, server_id: int, token: str, **values: Any) -> bool:
    """Set columns of one server that is ours; False when it no longer is."""
    return bool(await change_leased(tx, [{"server": server_id, "held_by": token, **values}]))


async def lock_removed(tx: Tx, server_id: int, token: str) -> bool:
    """Whether a server is ours and still to be removed; nobody changes that until the transaction ends."""
    statement = sa.select(c.id).where(c.id == server_id, c.lease == token, c.wanted == Wanted.REMOVED)
    return (await tx.execute(statement.with_for_update())).first() is not None


_ENDED = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"), c.phase_attempt == sa.bindparam("seen"), c.phase.in_(LIVE))
    .values(due=sa.bindparam("now"))
)


async def mark_ended(tx: Tx, ended: Iterable[Ref], now: datetime) -> bool:
    """Have servers looked at whose object has ended; whether there are any for which that is news."""
    found = False
    for ref in ended:
        values = {"server": ref.server_id, "seen": ref.attempt, "now": now}
        found = (await tx.execute(_ENDED, values)).rowcount > 0 or found
    return found


async def break_leases(tx: Tx, holder: str | None, now: datetime) -> None:
    """End the claims of one replica; all claims, for the one hub of a database (None)."""
    held = c.lease.is_not(None) if holder is None else c.lease.startswith(f"{holder}-")
    await tx.execute(sa.update(t.servers).where(held).values(lease=None, lease_until=None, due=now))


async def list_live_refs(tx: Tx, place: str) -> dict[int, tuple[int, Phase, int]]:
    """Servers of this place that should have a runtime object, or may: id -> (phase attempt, phase, attempt)."""
    statement = sa.select(c.id, c.phase_attempt, c.phase, c.attempt).where(
        c.place == place, sa.or_(c.phase.in_(LIVE), c.attempt > c.phase_attempt)
    )
    return {row[0]: (row[1], Phase(row[2]), row[3]) for row in await tx.execute(statement)}


async def delete_user_when_empty(tx: Tx, server_id: int) -> None:
    """Forget the person who is being deleted, once this was their last server."""
    u = t.users.c
    mine = sa.select(c.user_id).where(c.id == server_id).scalar_subquery()
    others = sa.exists().where(c.user_id == u.id, c.id != server_id)
    await tx.execute(sa.delete(t.users).where(u.id == mine, u.deleted.is_not(None), ~others))


# -- rights to launch ----------------------------------------------------------------------

_CHECKS = (
    sa.select(t.launch_checks.c.id, t.launch_checks.c.user_id, t.launch_checks.c.profile_id)
    .order_by(t.launch_checks.c.id)
    .limit(100)
    .with_for_update(skip_locked=True)
)
_UP = sa.and_(c.wanted == Wanted.RUNNING, sa.or_(c.phase.in_(LIVE), c.attempt > c.phase_attempt))
_LAUNCHED = (
    sa.select(*SERVER, c.ends)
    .join(t.users, t.users.c.id == c.user_id)
    .where(
        _UP,
        sa.or_(
            c.user_id.in_(sa.bindparam("users", expanding=True)),
            c.profile_id.in_(sa.bindparam("profiles", expanding=True)),
            c.ends <= sa.bindparam("now"),
        ),
    )
    .order_by(c.id)
)
_NEXT_END = sa.select(sa.func.min(c.ends)).where(_UP)


async def take_checks(tx: Tx) -> tuple[set[int], set[int]]:
    """Take out some of what is to be looked at: users, and profiles."""
    rows = (await tx.execute(_CHECKS)).all()
    if rows:
        await tx.execute(sa.delete(t.launch_checks).where(t.launch_checks.c.id.in_([row[0] for row in rows])))
    return {row[1] for row in rows if row[1]}, {row[2] for row in rows if row[2]}


_ANY_CHECK = sa.select(t.launch_checks.c.id).limit(1)


async def has_checks(tx: Tx) -> bool:
    """Whether there is anything to look at."""
    return (await tx.execute(_ANY_CHECK)).first() is not None


async def list_launched(
    tx: Tx, users: Collection[int], profiles: Collection[int], now: datetime
) -> list[tuple[Server, datetime | None]]:
    """Running and starting servers of these users and of these profiles, and those that end now; with their ends."""
    values = {"users": list(users), "profiles": list(profiles), "now": now}
    return [(server_of(row), row[-1]) for row in await tx.execute(_LAUNCHED, values)]


async def find_next_end(tx: Tx) -> datetime | None:
    """When the next server ends whose owner may launch it no longer."""
    return (await tx.execute(_NEXT_END)).scalar()


# -- removals ------------------------------------------------------------------------------

_REMOVABLE = sa.and_(c.removal.is_not(None), c.wanted != Wanted.REMOVED)


async def find_next_removal(tx: Tx) -> datetime | None:
    """When the next server is to be forgotten that somebody deleted."""
    return (await tx.execute(sa.select(sa.func.min(c.removal)).where(_REMOVABLE))).scalar()


async def remove_overdue(tx: Tx, now: datetime) -> list[tuple[int, str, str]]:
    """Want those forgotten whose time has come; their ids, users and names."""
    statement = (
        sa.update(t.servers).where(_REMOVABLE, c.removal <= now).values(wanted=Wanted.REMOVED, due=now)
    )
    ids = list((await tx.execute(statement.returning(c.id))).scalars())
    names = sa.select(c.id, t.users.c.name, c.name).join(t.users, t.users.c.id == c.user_id)
    return [(row[0], row[1], row[2]) for row in await tx.execute(names.where(c.id.in_(ids)))] if ids else []


# -- routes --------------------------------------------------------------------------------

_ROUTE = (
    sa.select(
        c.id,
        t.users.c.name,
        c.name,
        c.phase_attempt,
        c.ip,
        c.port,
        c.spec,
        sa.func.coalesce(t.epochs.c.epoch, 0),
        c.place,
    )
    .select_from(t.servers.outerjoin(t.epochs, t.epochs.c.server_id == c.id))
    .join(t.users, t.users.c.id == c.user_id)
)


_READY = _ROUTE.where(c.phase == Phase.READY)
_OF_USERS = among(c.user_id, sa.select(t.users.c.id).where(among(t.users.c.name, "users")))
_ALL_READY = _READY.where(t.HELD)
_READY_OF = _READY.where(_OF_USERS)
_ASLEEP = (
    sa.select(t.users.c.name, c.name)
    .join(t.users, t.users.c.id == c.user_id)
    .where(_OF_USERS, c.name != "", c.phase != Phase.READY)
)


async def list_ready(tx: Tx, users: Sequence[str] | None = None) -> list[Any]:
    """(id, user, server, attempt, ip, port, plan, epoch, place) of servers that should have a route; of all or these users."""
    if users is None:
        return list(await tx.execute(_ALL_READY))
    return list(await tx.execute(_READY_OF, {"users": users}))


async def list_asleep(tx: Tx, users: Collection[str]) -> list[tuple[str, str]]:
    """(user, server) of named servers of these people that are not ready."""
    return [(row[0], row[1]) for row in await tx.execute(_ASLEEP, {"users": users})]


async def list_routed_users(tx: Tx) -> set[str]:
    """People of whose servers some should have a route, or have one."""
    statement = (
        sa.select(t.users.c.name)
        .join(t.servers, t.users.c.id == c.user_id)
        .where(sa.or_(c.phase == Phase.READY, c.routed_attempt.is_not(None)))
    )
    return set((await tx.execute(statement)).scalars())


_UNSETTLED_READY = sa.and_(c.phase == Phase.READY, c.routed_attempt.is_distinct_from(c.phase_attempt))
_UNSETTLED_DOWN = sa.and_(c.phase != Phase.READY, c.routed_attempt.is_not(None))
_ARRIVED = (
    sa.update(t.servers)
    .where(c.id == sa.bindparam("server"), c.phase_attempt == sa.bindparam("held"), _UNSETTLED_READY)
    .values(routed_attempt=c.phase_attempt)
    .returning(c.id)
)
#: In the order of their ids, as everybody who changes several servers at once: nobody waits in a circle.
_WITHDRAWN = sa.select(c.id).where(_OF_USERS, _UNSETTLED_DOWN, ~among(c.id, "routed")).order_by(c.id)
_UNSETTLED = sa.select(c.id, sa.case((c.phase == Phase.READY, c.phase_attempt), else_=0)).where(
    _OF_USERS, sa.or_(_UNSETTLED_READY, _UNSETTLED_DOWN)
)


def _withdraw(which: sa.Select[Any]) -> sa.Executable:
    rows = c.id.in_(which.with_for_update(of=t.servers))
    return sa.update(t.servers).where(rows).values(routed_attempt=None).returning(c.id)


#: What is recorded whoever agrees, and what is where all others hold the same (0: no route at all).
_RECORD = _ARRIVED, _withdraw(_WITHDRAWN)
_RECORD_AGREED = (
    _ARRIVED.where(held_by_all(c.phase_attempt)),
    _withdraw(_WITHDRAWN.where(held_by_all(sa.literal(0)))),
)


async def update_routed(
    tx: Tx, users: Collection[str], routed: Mapping[int, int], others: Mapping[str, Any] | None = None
) -> list[int]:
    """Record which servers of these users every edge routes to, attempt by id; ids of those that changed.

    `others` are the replicas that must hold the same, as `held_by_all` names them; None: there is nobody to ask.
    """
    arrived, withdrawn = _RECORD if others is None else _RECORD_AGREED
    asked = dict(others or {})
    changed: list[int] = []
    if routed:
        sets = [{"server": server, "held": attempt, **asked} for server, attempt in sorted(routed.items())]
        changed += (await tx.execute(arrived, sets)).scalars()
    return (
        changed + (await tx.execute(withdrawn, {"users": users, "routed": list(routed), **asked})).scalars()
    )


async def list_unsettled(tx: Tx, users: Collection[str]) -> dict[int, int]:
    """Servers of these users that not every edge is known to route to as it should: attempt by id, 0 for no route."""
    return {row[0]: row[1] for row in await tx.execute(_UNSETTLED, {"users": users})}
