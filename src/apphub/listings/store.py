"""The statements behind the lists.

Each finds the ids of a page first, by an index and nothing else, and reads what it shows of
those rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from apphub.access.actor import Reach
from apphub.access.store import TOKEN, token_of
from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.types import json_rows
from apphub.listings.keyset import Column, beyond, ordered
from apphub.listings.model import (
    Ask,
    AskNamed,
    AskServers,
    AskServices,
    AskTokens,
    AskUsers,
    GroupLine,
    Member,
    ServerLine,
    TokenLine,
    UserLine,
)
from apphub.people.model import Service, Source
from apphub.people.services import SERVICE, service_of, services_within
from apphub.people.store import PERSON, group_names, person_of
from apphub.servers.model import Phase, Wanted
from apphub.servers.store import SERVER, server_of

u, g, m, c, k, v = t.users.c, t.groups.c, t.memberships.c, t.servers.c, t.tokens.c, t.services.c

#: The columns of each order.
USER_ORDERS: dict[str, list[Column]] = {
    "name": [(u.name, False, False)],
    "activity": [(u.last_activity, False, True), (u.id, False, False)],
    "created": [(u.id, False, False)],
}
SERVER_ORDERS: dict[str, list[Column]] = {
    "created": [(c.id, False, False)],
    "activity": [(c.last_activity, False, True), (c.id, False, False)],
}
SERVICE_ORDERS: dict[str, list[Column]] = {
    "name": [(v.name, False, False)],
    "created": [(v.id, False, False)],
}
GROUP_ORDERS: dict[str, list[Column]] = {
    "name": [(g.name, False, False)],
    "created": [(g.id, False, False)],
}
TOKEN_ORDERS: dict[str, list[Column]] = {"created": [(k.id, False, False)]}
_MEMBER_ORDER: list[Column] = [(u.name, False, False)]

#: A server that runs, or is on its way.
RUNNING = sa.or_(
    c.phase.in_((Phase.STARTING, Phase.READY, Phase.STOPPING)),
    c.place.is_not(None),
    sa.and_(c.wanted == Wanted.RUNNING, c.attempt > c.phase_attempt),
)
_COUNT_RUNNING = (
    sa.select(sa.func.count()).where(c.user_id == u.id, RUNNING).correlate(t.users).scalar_subquery()
)
_COUNT_MEMBERS = (
    sa.select(sa.func.count())
    .select_from(t.memberships)
    .where(m.group_id == g.id)
    .correlate(t.groups)
    .scalar_subquery()
)
_ROLES_OF_GROUP = (
    sa.select(json_rows(t.roles.c.name))
    .join(t.holders, t.holders.c.role_id == t.roles.c.id)
    .where(t.holders.c.group_id == g.id)
    .correlate(t.groups)
    .scalar_subquery()
)


def order_of(orders: dict[str, list[Column]], name: str) -> list[Column]:
    """The columns of an order; a `-` turns all of them round."""
    down = name.startswith("-")
    return [(column, turned is not down, miss) for column, turned, miss in orders[name.removeprefix("-")]]


def like(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a name holds the text; names are kept folded, so the text is, too."""
    escaped = text.lower().replace("/", "//").replace("%", "/%").replace("_", "/_")
    return column.like(f"%{escaped}%", escape="/")


def users_within(reach: Reach) -> list[sa.ColumnElement[bool]]:
    """What users within reach fulfil; a filter by server or service reaches no user."""
    return [sa.or_(*_owner_matches(clause)) for clause in reach.clauses]


def _owner_matches(clause: Any) -> list[sa.ColumnElement[bool]]:
    names = [one.value for one in clause if one.kind == "user"]
    groups = [one.value for one in clause if one.kind == "group"]
    members = sa.select(m.user_id).join(t.groups, g.id == m.group_id).where(g.name.in_(groups))
    return [u.name.in_(names), *([u.id.in_(members)] if groups else [])]


def _servers_within(reach: Reach) -> list[sa.ColumnElement[bool]]:
    where = []
    for clause in reach.clauses:
        keys = [tuple(one.value.partition("/")[::2]) for one in clause if one.kind == "server"]
        one_of = [sa.and_(u.name == user, c.name == name) for user, name in keys]
        where.append(sa.or_(*_owner_matches(clause), *one_of))
    return where


def _user_filter(reach: Reach, ask: AskUsers) -> list[sa.ColumnElement[bool]]:
    where = [u.deleted.is_(None), *users_within(reach)]
    if ask.search:
        where.append(like(u.name, ask.search))
    if ask.group:
        group = sa.select(m.user_id).join(t.groups, g.id == m.group_id).where(g.name == ask.group)
        where.append(u.id.in_(group))
    if ask.active:
        where.append(u.id.in_(sa.select(c.user_id).where(RUNNING)))
    if ask.admins:
        where.append(u.admin)
    return where


async def list_users(tx: Tx, reach: Reach, ask: AskUsers) -> list[UserLine]:
    """One more than a page of users, in the order of reading."""
    columns = order_of(USER_ORDERS, ask.order)
    order = ordered(columns, ask.cursor)
    where = [*_user_filter(reach, ask), *beyond(columns, ask.cursor)]
    ids = sa.select(u.id).where(*where).order_by(*order).limit(ask.limit + 1)
    found = sa.select(*PERSON, _COUNT_RUNNING).where(u.id.in_(ids)).order_by(*order)
    return [UserLine(person_of(row), row[len(PERSON)]) for row in await tx.execute(found)]


async def list_user_names(tx: Tx, reach: Reach, ask: AskUsers, most: int) -> list[str]:
    """The names of all users that match, whatever the page."""
    found = sa.select(u.name).where(*_user_filter(reach, ask)).order_by(u.name).limit(most)
    return list((await tx.execute(found)).scalars())


async def list_groups(tx: Tx, reach: Reach, ask: AskNamed) -> list[GroupLine]:
    """One more than a page of groups, in the order of reading."""
    columns = order_of(GROUP_ORDERS, ask.order)
    where: list[sa.ColumnElement[bool]] = [
        g.name.in_([one.value for one in clause if one.kind == "group"]) for clause in reach.clauses
    ]
    where += beyond(columns, ask.cursor)
    if ask.search:
        where.append(like(sa.func.lower(g.name), ask.search))
    found = (
        sa.select(g.id, g.name, _COUNT_MEMBERS, _ROLES_OF_GROUP, g.source)
        .where(*where)
        .order_by(*ordered(columns, ask.cursor))
        .limit(ask.limit + 1)
    )
    rows = await tx.execute(found)
    return [GroupLine(row[0], row[1], row[2], tuple(row[3]), Source(row[4])) for row in rows]


async def find_group(tx: Tx, name: str) -> tuple[GroupLine, dict[str, Any]] | None:
    """A group without its members, and its properties."""
    found = sa.select(g.id, g.name, _COUNT_MEMBERS, _ROLES_OF_GROUP, g.source, g.properties)
    row = (await tx.execute(found.where(g.name == name))).first()
    return (GroupLine(row[0], row[1], row[2], tuple(row[3]), Source(row[4])), row[5]) if row else None


async def list_members(tx: Tx, group_id: int, ask: Ask) -> list[Member]:
    """One more than a page of members, by name."""
    where = [m.group_id == group_id, u.deleted.is_(None), *beyond(_MEMBER_ORDER, ask.cursor)]
    if ask.search:
        where.append(like(u.name, ask.search))
    found = (
        sa.select(u.id, u.name, u.last_activity, m.source)
        .join(t.memberships, m.user_id == u.id)
        .where(*where)
        .order_by(*ordered(_MEMBER_ORDER, ask.cursor))
        .limit(ask.limit + 1)
    )
    return [Member(row[0], row[1], row[2], row[3] == Source.SETTINGS) for row in await tx.execute(found)]


def _server_filter(reach: Reach, ask: AskServers) -> list[sa.ColumnElement[bool]]:
    where = [u.deleted.is_(None), c.attempt > 0, *_servers_within(reach)]
    if ask.search:
        where.append(sa.or_(like(u.name, ask.search), like(c.name, ask.search)))
    if ask.active:
        where.append(RUNNING)
    if ask.profile:
        profile = sa.select(t.profiles.c.id).where(t.profiles.c.slug == ask.profile)
        where.append(c.profile_id.in_(profile))
    return where


async def list_server_names(tx: Tx, reach: Reach, ask: AskServers, most: int) -> list[str]:
    """All servers that match as `ada/lab`, whatever the page."""
    found = sa.select(u.name, c.name).join(t.users, u.id == c.user_id).where(*_server_filter(reach, ask))
    return [f"{user}/{name}" for user, name in await tx.execute(found.order_by(c.id).limit(most))]


async def list_servers(tx: Tx, reach: Reach, ask: AskServers) -> list[ServerLine]:
    """One more than a page of servers, in the order of reading."""
    columns = order_of(SERVER_ORDERS, ask.order)
    order = ordered(columns, ask.cursor)
    where = [*_server_filter(reach, ask), *beyond(columns, ask.cursor)]
    ids = sa.select(c.id).join(t.users, u.id == c.user_id).where(*where).order_by(*order).limit(ask.limit + 1)
    found = (
        sa.select(*SERVER, group_names).join(t.users, u.id == c.user_id).where(c.id.in_(ids)).order_by(*order)
    )
    return [ServerLine(server_of(row), frozenset(row[len(SERVER)])) for row in await tx.execute(found)]


async def list_services(tx: Tx, reach: Reach, ask: AskServices) -> list[Service]:
    """One more than a page of services, declared or made by the API, in the order of reading."""
    columns = order_of(SERVICE_ORDERS, ask.order)
    order = ordered(columns, ask.cursor)
    where = [*services_within(reach), *beyond(columns, ask.cursor)]
    if ask.search:
        where.append(like(sa.func.lower(v.name), ask.search))
    if ask.shown:
        where += [v.display, v.url != ""]
    ids = sa.select(v.id).where(*where).order_by(*order).limit(ask.limit + 1)
    found = sa.select(*SERVICE).where(v.id.in_(ids)).order_by(*order)
    return [service_of(row) for row in await tx.execute(found)]


async def list_tokens(tx: Tx, reach: Reach, ask: AskTokens, now: int) -> list[TokenLine]:
    """One more than a page of live tokens, in the order of reading; not those that servers use themselves."""
    columns = order_of(TOKEN_ORDERS, ask.order)
    where = [
        k.server_id.is_(None),
        sa.or_(k.expires.is_(None), sa.type_coerce(k.expires, sa.BigInteger) > now),
    ]
    where += beyond(columns, ask.cursor)
    for clause in reach.clauses:
        services = [one.value for one in clause if one.kind == "service"]
        where.append(sa.or_(*_owner_matches(clause), v.name.in_(services)))
    if ask.search:
        where.append(
            sa.or_(
                like(u.name, ask.search),
                like(v.name, ask.search),
                like(sa.func.lower(k.note), ask.search),
            )
        )
    order = ordered(columns, ask.cursor)
    ids = (
        sa.select(k.id)
        .outerjoin(t.users, u.id == k.user_id)
        .outerjoin(t.services, v.id == k.service_id)
        .where(*where)
        .order_by(*order)
        .limit(ask.limit + 1)
    )
    found = (
        sa.select(*TOKEN, group_names)
        .outerjoin(t.users, u.id == k.user_id)
        .outerjoin(t.services, v.id == k.service_id)
        .outerjoin(t.sessions, t.sessions.c.id == k.session_id)
        .outerjoin(t.oauth_clients, t.oauth_clients.c.id == k.client_id)
        .where(k.id.in_(ids))
        .order_by(*order)
    )
    return [TokenLine(token_of(row[:-1]), frozenset(row[-1])) for row in await tx.execute(found)]


async def find_names(tx: Tx, users: Sequence[str], groups: Sequence[str]) -> tuple[set[str], set[str]]:
    """Which of these names of users (also of some just being deleted) and of groups there are."""
    taken = set((await tx.execute(sa.select(u.name).where(u.name.in_(users)))).scalars())
    known = set((await tx.execute(sa.select(g.name).where(g.name.in_(groups)))).scalars())
    return taken, known
