"""Asking for servers to run: the one gate that every start goes through.

Starts that are asked for at the same moment are judged one by one and written together: one
transaction, and for all of them the statements of one. Each has its own outcome; one that is
refused has written nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from apphub.admission import Admission
from apphub.admission import store as admission_store
from apphub.admission.actions import asks
from apphub.audit import By, insert_all
from apphub.db import Database, Tx
from apphub.db.changes import DUE, server_topic
from apphub.db.lock import ACTIVE_SERVERS, take_turns
from apphub.db.together import Together
from apphub.errors import HubError
from apphub.kit import clock
from apphub.people import store as people_store
from apphub.people.model import NoSuchUser, Person
from apphub.profiles import Profiles
from apphub.profiles.model import Catalogue, Choice
from apphub.servers import store
from apphub.servers.checks import check_idle, check_names, check_room, check_runtime
from apphub.servers.model import (
    REQUESTED,
    Ask,
    Plan,
    Server,
    ServerKey,
    parse_display_name,
    parse_server_name,
)
from apphub.servers.store import NewServer, Start
from apphub.settings import Limits

#: The progress of so many attempts before the newest is kept.
REMEMBERED = 4


class Asked(Struct, frozen=True):
    """A start that somebody asks for; `again` stops and starts anew what runs."""

    by: By
    key: ServerKey
    ask: Ask
    again: bool = False


class _Allowed(Struct, frozen=True):
    """A start that no rule stands against, and what it starts."""

    asked: Asked
    person: Person
    server: Server | None
    choice: Choice
    sent: Mapping[str, Any] | None
    #: It runs, and is started anew.
    runs: bool

    def start(self, server_id: int, turn: tuple[int, int], *, app_hosts: bool) -> Start:
        """What is written of it."""
        offer, choice = self.choice.offer, self.choice
        plan = Plan.of(choice.profile, choice.options, offer.id, offer.version, app_hosts=app_hosts)
        sent = None if self.sent is None else dict(self.sent)
        return Start(self.person.name, server_id, plan, sent, turn, asks(choice.profile))


class Starts:
    """The gate."""

    def __init__(
        self, db: Database, profiles: Profiles, limits: Limits, admission: Admission, *, app_hosts: bool
    ) -> None:
        self._db = db
        self._profiles = profiles
        self._limits = limits
        self._admission = admission
        self._app_hosts = app_hosts
        self._together = Together(db, self._transaction)

    async def request(self, asked: Asked) -> Server:
        """The server that is on its way now; raises what refuses it."""
        outcome = await self._together(asked)
        if isinstance(outcome, HubError):
            raise outcome
        return outcome

    async def _transaction(self, asked: Sequence[Asked]) -> Sequence[Server | HubError]:
        outcomes: dict[int, Server | HubError] = {}
        async with self._db.write() as tx:
            for some in _one_of_each(asked):
                found = await self._start(tx, [asked[number] for number in some])
                outcomes.update(zip(some, found, strict=True))
        return [outcomes[number] for number in range(len(asked))]

    async def _start(self, tx: Tx, asked: Sequence[Asked]) -> Sequence[Server | HubError]:
        """Judge and write starts of different people."""
        people = await people_store.lock_people(tx, [one.key.user for one in asked])
        servers = await store.find_servers(tx, [one.key for one in asked])
        catalogue = await self._profiles.current(tx)
        outcomes: dict[ServerKey, Server | HubError] = {}
        allowed: list[_Allowed] = []
        for one in asked:
            try:
                found = await self._judge(tx, one, people.get(one.key.user), servers.get(one.key), catalogue)
            except HubError as error:
                outcomes[one.key] = error
                continue
            if isinstance(found, Server):
                outcomes[one.key] = found
            else:
                allowed.append(found)
        full = await self._lacks_room(tx, [one for one in allowed if not one.runs])
        outcomes |= full
        begin = [one for one in allowed if one.asked.key not in full]
        outcomes |= {server.key: server for server in await self._write(tx, begin, clock.now())}
        return [outcomes[one.key] for one in asked]

    async def _judge(
        self, tx: Tx, asked: Asked, person: Person | None, server: Server | None, catalogue: Catalogue
    ) -> _Allowed | Server:
        """What is to be written; a server that is on its way already is left as it is."""
        key, ask = asked.key, asked.ask
        if person is None:
            raise NoSuchUser(key.user)
        if server is not None and (server.pending == "spawn" or (asked.again and server.asked_again)):
            return server
        runs = asked.again and server is not None and server.ready
        if not runs:
            check_idle(server, key)
        sent = ask.options if ask.options is not None else (server.options if server else None)
        choice = catalogue.choose(sent or {}, person)
        check_runtime(choice, key)
        self._admission.check(catalogue, person, choice.offer)
        if server is None:
            await check_new(tx, self._limits, person, key)
        if ask.display_name is not None:
            parse_display_name(ask.display_name)
        return _Allowed(asked, person, server, choice, sent, runs)

    async def _lacks_room(self, tx: Tx, allowed: Sequence[_Allowed]) -> dict[ServerKey, HubError]:
        """Those that are one too many, counted with those before them."""
        if not allowed or not self._limits.active_servers:
            return {}
        await take_turns(tx, ACTIVE_SERVERS)
        active = await admission_store.count_active(tx)
        full: dict[ServerKey, HubError] = {}
        for one in allowed:
            try:
                check_room(active, self._limits)
                active += 1
            except HubError as error:
                full[one.asked.key] = error
        return full

    async def _write(self, tx: Tx, allowed: Sequence[_Allowed], now: datetime) -> list[Server]:
        if not allowed:
            return []
        ids = await self._ids(tx, allowed, now)
        turns = await admission_store.take_places(tx, [one.person.id for one in allowed], now)
        starts = [
            one.start(server_id, turn, app_hosts=self._app_hosts)
            for one, server_id, turn in zip(allowed, ids, turns, strict=True)
        ]
        started = await store.request_starts(tx, starts, now)
        old = [(one.id, one.attempt - REMEMBERED) for one in started if one.attempt > REMEMBERED]
        await store.delete_old_events(tx, old)
        await store.insert_events(tx, [(one.id, one.attempt, 0, REQUESTED) for one in started], now)
        await insert_all(tx, [_entry(one, server) for one, server in zip(allowed, started, strict=True)])
        tx.changed(DUE, *(server_topic(server.id) for server in started))
        return started

    async def _ids(self, tx: Tx, allowed: Sequence[_Allowed], now: datetime) -> list[int]:
        """The servers' ids; those that are missing are made."""
        new = [
            NewServer.of(one.person, one.asked.key, one.asked.ask, now)
            for one in allowed
            if one.server is None
        ]
        made = iter(await store.insert_servers(tx, new))
        ids = []
        for one in allowed:
            if one.server is not None and one.asked.ask.display_name is not None:
                await store.update_server(tx, one.server.id, display_name=one.asked.ask.display_name)
            ids.append(one.server.id if one.server is not None else next(made))
        return ids


def _entry(one: _Allowed, server: Server) -> tuple[By, str, str, dict[str, Any]]:
    after: dict[str, Any] = {"profile": one.choice.profile.slug, "attempt": server.attempt}
    if one.runs:
        after["again"] = True
    return one.asked.by, "server.start", server.label, after


def _one_of_each(asked: Sequence[Asked]) -> Iterator[list[int]]:
    """The numbers of what is asked for, in rounds that have each person once."""
    left = list(range(len(asked)))
    while left:
        first = {asked[number].key.user: number for number in reversed(left)}
        some = sorted(first.values())
        yield some
        left = [number for number in left if number not in some]


async def check_new(tx: Tx, limits: Limits, person: Person, key: ServerKey) -> None:
    """Raise unless somebody may have one more server, of this name."""
    if not key.name:
        return
    parse_server_name(key.name)
    if limits.named_servers_per_user:
        check_names(await store.count_named(tx, person.id), limits, person.name)
