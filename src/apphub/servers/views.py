"""Users with their servers, as the API and the pages show them: one statement per page.

Users and servers are asked for together everywhere, so this reads both; each part is shown
or not by the doors, which know what the caller may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct

from apphub.access.actor import Reach
from apphub.db import Database
from apphub.db import tables as t
from apphub.db.types import as_json, from_micros, json_row, json_rows
from apphub.people.model import NoSuchUser, Person
from apphub.people.store import PERSON, person_of
from apphub.servers.marks import Marks
from apphub.servers.model import Phase, Server, ServerKey, Wanted
from apphub.servers.store import SERVER, server_of

u = t.users.c
c = t.servers.c

State = Literal["active", "ready", "inactive"]

_JSON = {"spec", "options"}
_MOMENTS = (4, 9, 13, 18, 20)  # positions in SERVER that hold moments, which JSON carries as numbers

_SERVERS = (
    sa.select(json_rows(json_row(*(as_json(col) if col.name in _JSON else col for col in SERVER))))
    .where(c.user_id == u.id)
    .correlate(t.users)
    .scalar_subquery()
)

_ACTIVE = sa.exists().where(
    c.user_id == u.id,
    sa.or_(
        c.phase.in_((Phase.STARTING, Phase.STOPPING)),
        c.phase == Phase.READY,
        c.place.is_not(None),
        sa.and_(c.wanted == Wanted.RUNNING, c.attempt > c.phase_attempt),
    ),
)
_READY = sa.exists().where(
    c.user_id == u.id,
    c.wanted == Wanted.RUNNING,
    c.phase == Phase.READY,
    c.phase_attempt == c.attempt,
    c.routed_attempt == c.attempt,
)
_STATES: dict[str, sa.ColumnElement[bool]] = {"active": _ACTIVE, "ready": _READY, "inactive": ~_ACTIVE}
_ORDERS: dict[str, list[sa.ColumnElement[Any]]] = {
    "id": [u.id.asc()],
    "-id": [u.id.desc()],
    "name": [u.name.asc()],
    "-name": [u.name.desc()],
    "last_activity": [u.last_activity.is_not(None), u.last_activity.asc(), u.id.asc()],
    "-last_activity": [u.last_activity.is_(None), u.last_activity.desc(), u.id.desc()],
}

#: The orders a list can have, descending ones with a `-`.
ORDERS = tuple(_ORDERS)


class Account(Struct, frozen=True):
    """A person with all of their servers."""

    person: Person
    servers: tuple[Server, ...]

    def server(self, name: str) -> Server | None:
        """The server of that name."""
        for server in self.servers:
            if server.key.name == name:
                return server
        return None


class Page(Struct, frozen=True):
    """Which part of a list."""

    offset: int = 0
    limit: int = 50
    order: str = "id"
    state: State | None = None
    name_filter: str | None = None


def default_server(person: Person) -> Server:
    """The default server of somebody who has never started it: everybody has one."""
    return Server(
        id=0,
        user_id=person.id,
        key=ServerKey(person.name, ""),
        display_name="",
        created=person.created,
        wanted=Wanted.STOPPED,
        attempt=0,
        options=None,
        plan=None,
        requested=None,
        phase=Phase.STOPPED,
        phase_attempt=0,
        reason=None,
        admitted=None,
        place=None,
        address=None,
        routed_attempt=None,
        last_activity=None,
    )


def _account_of(row: Any) -> Account:
    servers = []
    for values in row[len(PERSON)]:
        for position in _MOMENTS:
            if values[position] is not None:
                values[position] = from_micros(values[position])
        servers.append(server_of(values))
    return Account(person_of(row), tuple(servers))


class _Shape(Struct, frozen=True):
    """What makes the statements of two lists different; their values are parameters.

    Building a statement and finding it among the compiled ones costs ten times what running it
    does, so each shape is built once.
    """

    order: str
    state: State | None
    searched: bool
    #: For every clause of the reach, whether it names groups.
    clauses: tuple[bool, ...]


def _shape(reach: Reach, page: Page) -> tuple[_Shape, dict[str, Any]]:
    values: dict[str, Any] = {"offset": page.offset, "limit": page.limit}
    clauses = []
    for number, clause in enumerate(reach.clauses):
        groups = [narrowing.value for narrowing in clause if narrowing.kind == "group"]
        values[f"names{number}"] = [narrowing.value for narrowing in clause if narrowing.kind == "user"]
        if groups:
            values[f"groups{number}"] = groups
        clauses.append(bool(groups))
    if page.name_filter:
        escaped = page.name_filter.replace("/", "//").replace("%", "/%").replace("_", "/_")
        values["search"] = f"%{escaped}%"
    return _Shape(page.order, page.state, bool(page.name_filter), tuple(clauses)), values


def _where(shape: _Shape) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [u.deleted.is_(None)]
    where += [_matches(number, groups) for number, groups in enumerate(shape.clauses)]
    if shape.state is not None:
        where.append(_STATES[shape.state])
    if shape.searched:
        where.append(u.name.like(sa.bindparam("search"), escape="/"))
    return where


def _matches(number: int, groups: bool) -> sa.ColumnElement[bool]:
    named = u.name.in_(sa.bindparam(f"names{number}", expanding=True))
    if not groups:
        return named
    member = (
        sa.exists()
        .where(t.memberships.c.user_id == u.id, t.groups.c.id == t.memberships.c.group_id)
        .where(t.groups.c.name.in_(sa.bindparam(f"groups{number}", expanding=True)))
    )
    return sa.or_(named, member)


@lru_cache(256)
def _listing(shape: _Shape) -> sa.Select[Any]:
    return (
        sa.select(*PERSON, _SERVERS.label("servers"))
        .where(*_where(shape))
        .order_by(*_ORDERS[shape.order])
        .offset(sa.bindparam("offset"))
        .limit(sa.bindparam("limit"))
    )


@lru_cache(256)
def _counting(shape: _Shape) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(t.users).where(*_where(shape))


_FIND = sa.select(*PERSON, _SERVERS.label("servers")).where(
    u.name == sa.bindparam("name"), u.deleted.is_(None)
)

_NAMED = sa.select(*PERSON, _SERVERS.label("servers")).where(
    u.name.in_(sa.bindparam("names", expanding=True)), u.deleted.is_(None)
)


#: Everybody in the order of ids, from an id on.
_PLAIN = _Shape("id", None, False, ())
_EVERYBODY = _listing(_PLAIN).where(u.id >= sa.bindparam("first"))


class Views:
    """Reads for the doors."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._marks = Marks(db.changes)

    async def find_account(self, name: str) -> Account | None:
        """A person with their servers."""
        async with self.db.read() as tx:
            row = (await tx.execute(_FIND, {"name": name})).first()
        return None if row is None else _account_of(row)

    async def account(self, name: str) -> Account:
        """A person with their servers; raises `NoSuchUser`."""
        account = await self.find_account(name)
        if account is None:
            raise NoSuchUser(name)
        return account

    async def list_named(self, names: Sequence[str]) -> list[Account]:
        """Those of these people who exist, in the order of the names."""
        async with self.db.read() as tx:
            found = {row[1]: _account_of(row) for row in await tx.execute(_NAMED, {"names": list(names)})}
        return [found[name] for name in names if name in found]

    async def list_accounts(self, reach: Reach, page: Page) -> list[Account]:
        """One page of people within reach."""
        shape, values = _shape(reach, page)
        if shape == _PLAIN:
            return await self._everybody(page)
        async with self.db.read() as tx:
            return [_account_of(row) for row in await tx.execute(_listing(shape), values)]

    async def _everybody(self, page: Page) -> list[Account]:
        count = self.db.changes.count
        known, first = self._marks.before(page.offset)
        values = {"first": first, "offset": page.offset - known, "limit": page.limit}
        async with self.db.read() as tx:
            accounts = [_account_of(row) for row in await tx.execute(_EVERYBODY, values)]
        if accounts:
            self._marks.note(page.offset, accounts[0].person.id, count)
            self._marks.note(page.offset + len(accounts), accounts[-1].person.id + 1, count)
        return accounts

    async def count_accounts(self, reach: Reach, page: Page) -> int:
        """How many people there are within reach, on all pages."""
        shape, values = _shape(reach, page)
        del values["offset"], values["limit"]
        async with self.db.read() as tx:
            return int((await tx.execute(_counting(shape), values)).scalar_one())

    async def list_routes(self) -> list[Server]:
        """All servers that have a route."""
        statement = (
            sa.select(*SERVER)
            .join(t.users, u.id == c.user_id)
            .where(t.HELD, c.phase == Phase.READY)
            .order_by(c.id)
        )
        async with self.db.read() as tx:
            return [server_of(row) for row in await tx.execute(statement)]

    async def count_all(self) -> tuple[int, int]:
        """How many people there are, and how many servers run."""
        users = sa.select(sa.func.count()).select_from(t.users).where(u.deleted.is_(None))
        running = sa.select(sa.func.count()).select_from(t.servers).where(t.HELD, c.phase == Phase.READY)
        async with self.db.read() as tx:
            row = (await tx.execute(sa.select(users.scalar_subquery(), running.scalar_subquery()))).one()
        return row[0], row[1]

    async def count_active(self, since: Sequence[datetime]) -> tuple[int, ...]:
        """How many people were seen since each of these moments."""
        counts = [
            sa.select(sa.func.count())
            .select_from(t.users)
            .where(u.deleted.is_(None), u.last_activity >= moment)
            .scalar_subquery()
            for moment in since
        ]
        async with self.db.read() as tx:
            return tuple((await tx.execute(sa.select(*counts))).one())
