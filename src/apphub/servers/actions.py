"""What can be done with servers: one method, one transaction. Nothing here starts a process.

An action writes what is wanted and returns; the reconciler makes it so, whether or not the
caller is still there. `settled` waits for the outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apphub.access.actor import Actor
from apphub.admission import Admission
from apphub.admission import store as admission_store
from apphub.admission.model import NeverFits
from apphub.audit import By, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import DUE, RIGHTS, heard, server_topic
from apphub.errors import Conflict, Invalid, shown
from apphub.kit import clock, metrics
from apphub.people import People
from apphub.people import store as people_store
from apphub.people.model import Declared, Person, Source, UserExists, parse_user_name
from apphub.profiles import Profiles
from apphub.profiles.model import NoSuchProfile
from apphub.servers import store
from apphub.servers.activity import Active, Activity
from apphub.servers.checks import Refusal, Room, refusals
from apphub.servers.lookup import Lookup
from apphub.servers.model import (
    AlreadyRunning,
    Ask,
    HubFull,
    NoSuchServer,
    Phase,
    Progress,
    Server,
    ServerExists,
    ServerKey,
    Wanted,
    parse_display_name,
    parse_server_name,
)
from apphub.servers.starts import Asked, Starts, check_new
from apphub.servers.store import NewServer
from apphub.settings import Limits


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers of people."""

    db: Database
    people: People
    profiles: Profiles
    limits: Limits
    admission: Admission
    #: Whether apps may have hosts of their own.
    app_hosts: bool = False
    _lookup: Lookup = field(init=False)
    _activity: Activity = field(init=False)
    _starts: Starts = field(init=False)

    def __post_init__(self) -> None:
        starts = Starts(self.db, self.profiles, self.limits, self.admission, app_hosts=self.app_hosts)
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_lookup", Lookup(self.db))
        object.__setattr__(self, "_activity", Activity(self.db))

    async def create(self, by: By, key: ServerKey, ask: Ask) -> Server:
        """Make a named server that is stopped; raises `ServerExists` or `TooManyServers`."""
        async with self.db.write() as tx:
            person = await people_store.lock_person(tx, key.user)
            if not key.name:
                raise ServerExists(f"User {key.user} already has a default server")
            if await store.find_server(tx, key) is not None:
                raise ServerExists(f"User {key.user} already has server {key.name}")
            server_id = await self._insert(tx, person, key, ask)
            insert_entry(tx, by, "server.create", f"server:{key}")
            server = await store.find_server_by_id(tx, server_id)
        assert server is not None
        return server

    async def start(self, by: By, key: ServerKey, ask: Ask) -> Server:
        """Ask for a server to run; a named one is made when it is missing.

        The gate of profiles is here: the options choose the profile, and the groups that the
        server's owner is in *now* decide. Without options those of the last start count, and
        else the default profile. A server that is starting already is left as it is.
        What there is no room for waits. Raises `AlreadyRunning`, `HubFull`, `NeverFits` and what the
        catalogue raises.
        """
        try:
            return await self._starts.request(Asked(by, key, ask))
        except AlreadyRunning:
            metrics.SPAWNS.labels("failure", "already-pending").observe(0)
            raise
        except HubFull:
            metrics.SPAWNS.labels("failure", "too-many-users").observe(0)
            raise

    async def restart(self, by: By, key: ServerKey) -> Server:
        """Ask for a server that runs to be stopped and started anew, with what it was last started with.

        One that does not run is started. The gate of profiles is the same as that of a start.
        """
        return await self._starts.request(Asked(by, key, Ask(), again=True))

    async def would_start(
        self, key: ServerKey, slug: str, options: Mapping[str, Any]
    ) -> tuple[list[Refusal], str | None]:
        """What stands in the way of starting this profile now, and what it would wait for: a dry run.

        Raises `NoSuchUser` and `NoSuchProfile`.
        """
        async with self.db.read() as tx:
            person = await people_store.get_person(tx, key.user)
            catalogue = await self.profiles.current(tx)
            offer = catalogue.offers.get(slug)
            if offer is None:
                raise NoSuchProfile(f"There is no profile {shown(slug)}.")
            server = await store.find_server(tx, key)
            room = Room(await admission_store.count_active(tx), await store.count_named(tx, person.id))
            found = list(refusals(catalogue, offer, options, person, server, key, room, self.limits))
            try:
                self.admission.check(catalogue, person, offer)
            except NeverFits as error:
                found.append(Refusal("limits", error.message, error.advice))
            waits = None if found else await self.admission.would_wait(tx, person, offer)
        return found, waits

    async def stop(self, by: By, key: ServerKey, *, remove: bool = False) -> Server | None:
        """Ask for a server to stop, and with `remove` to be forgotten; None when there is nothing left to do."""
        now = clock.now()
        async with self.db.write() as tx:
            server = await store.find_server(tx, key)
            if server is None:
                await people_store.get_person(tx, key.user)
            if remove and not key.name:
                raise Invalid("Cannot delete the default server")
            if server is None:
                if key.name:
                    raise NoSuchServer(key)
                return None
            if remove and not server.active:
                await store.delete_server(tx, server.id)
                insert_entry(tx, by, "server.remove", server.label)
                return None
            if not server.active:
                return None
            await store.update_wanted(tx, server.id, Wanted.REMOVED if remove else Wanted.STOPPED, now)
            insert_entry(tx, by, "server.remove" if remove else "server.stop", server.label)
            tx.changed(DUE, server_topic(server.id))
        return server

    async def stop_all(self, by: By) -> None:
        """Ask for every server to stop."""
        async with self.db.write() as tx:
            stopped = await store.stop_all(tx, clock.now())
            insert_entry(tx, by, "server.stop", "servers", after={"count": len(stopped)})
            tx.changed(DUE, *(server_topic(server_id) for server_id in stopped))
        end = asyncio.get_running_loop().time() + 30
        for server_id in stopped:
            left = timedelta(seconds=max(0.0, end - asyncio.get_running_loop().time()))
            await self.settled(server_id, lambda row: row is None or not row.active, left)

    async def modify(self, by: By, key: ServerKey, ask: Ask, *, new_name: str | None) -> Server:
        """Change name, display name or options of a stopped server."""
        async with self.db.write() as tx:
            person = await people_store.get_person(tx, key.user)
            server = await store.find_server(tx, key)
            if server is None and not key.name:  # everybody has a default server, started or not
                server = await store.find_server_by_id(tx, await self._insert(tx, person, key, Ask()))
            if server is None:
                raise NoSuchServer(key)
            if server.active:
                raise Invalid(f"{_spoken(key)} is active. Please stop it before modifying it.")
            values = await self._changes(tx, person, server, ask, new_name)
            await store.update_server(tx, server.id, **values)
            before = {"name": key.name, "display_name": server.display_name, "options": server.options}
            before = {name: value for name, value in before.items() if name in values}
            insert_entry(tx, by, "server.change", server.label, before=before, after=values)
            changed = await store.find_server_by_id(tx, server.id)
        assert changed is not None
        return changed

    async def change_user(
        self, actor: Actor, by: By, name: str, *, admin: bool | None, new_name: object
    ) -> str:
        """Make a person an administrator (or no longer one) and give them another name; the name after that."""
        async with self.db.write() as tx:
            person = await people_store.get_person(tx, name)
            if admin is not None:
                await self.people.set_admin(tx, actor, by, person, admin)
            if new_name is None:
                return person.name
            return await self._rename(tx, by, person, parse_user_name(new_name))

    async def delete_user(self, by: By, name: str, *, patience: timedelta) -> None:
        """Forget a person. Their servers are stopped first; nobody sees the person any more meanwhile."""
        now = clock.now()
        async with self.db.write() as tx:
            person = await people_store.lock_person(tx, name)  # no start comes in between
            if person.source is Source.SETTINGS:
                raise Declared(f"The user {person.name}")
            servers = await store.list_servers_of(tx, person.id)
            before = {"admin": person.admin, "groups": list(person.groups)}
            insert_entry(tx, by, "user.delete", person.label, before=before)
            tx.changed(RIGHTS)
            if not any(server.active for server in servers):
                await people_store.delete_person(tx, person.id)
                return
            await people_store.update_person(tx, person.id, deleted=now)
            for server in servers:
                await store.update_wanted(tx, server.id, Wanted.REMOVED, now)
            tx.changed(DUE, *(server_topic(server.id) for server in servers))
        for server in servers:
            await self.settled(server.id, _gone, patience)

    async def find(self, key: ServerKey) -> Server | None:
        """The server of this key, if there is one."""
        async with self.db.read() as tx:
            return await store.find_server(tx, key)

    async def find_by_id(self, server_id: int) -> Server | None:
        """The server of this id, if there still is one."""
        return await self._lookup.find(server_id)

    async def settled(
        self, server_id: int, done: Callable[[Server | None], bool], patience: timedelta
    ) -> Server | None:
        """Wait until `done` says so of the row, at most `patience`; the row as it is then."""
        with self.db.changes.listen(server_topic(server_id)) as news:
            end = asyncio.get_running_loop().time() + patience.total_seconds()
            while True:
                news.clear()
                server = await self.find_by_id(server_id)
                left = end - asyncio.get_running_loop().time()
                if done(server) or left <= 0:
                    return server
                # News may be lost (another replica, a restart); rows are the truth.
                await heard(news, min(left, 1.0))

    async def started(self, server: Server, patience: timedelta) -> Server | None:
        """Wait until this attempt is ready or has failed."""
        return await self.settled(
            server.id,
            lambda row: row is None or row.attempt != server.attempt or row.ready or not row.active,
            patience,
        )

    async def stopped(self, server: Server, patience: timedelta) -> Server | None:
        """Wait until the server is down, and no edge sends requests to it."""
        return await self.settled(server.id, lambda row: row is None or not row.active, patience)

    async def events(self, server: Server, after: int = 0) -> list[Progress]:
        """Progress of the server's current attempt, after the event of that id."""
        async with self.db.read() as tx:
            return await store.list_events(tx, server.id, server.attempt, after)

    async def note_activity(
        self, name: str, *, user: datetime | None, servers: Mapping[str, datetime]
    ) -> None:
        """Record when a person and their servers were last active (see `Activity.note`)."""
        await self._activity.note(Active(name, user, servers))

    async def _rename(self, tx: Tx, by: By, person: Person, name: str) -> str:
        """Refused while a server runs, whose address has the name in it."""
        if name == person.name:
            return name
        if person.source is Source.SETTINGS:
            raise Declared(f"The user {person.name}")
        if await people_store.find_existing(tx, [name]):
            raise UserExists(f"User {name} already exists, username must be unique")
        if any(server.active for server in await store.list_servers_of(tx, person.id)):
            raise Conflict(f"{person.name} has running servers.", "Stop them first.")
        await people_store.update_person(tx, person.id, name=name)
        insert_entry(tx, by, "user.rename", person.label, after={"name": name})
        tx.changed(RIGHTS)
        return name

    async def _insert(self, tx: Tx, person: Person, key: ServerKey, ask: Ask) -> int:
        await check_new(tx, self.limits, person, key)
        [server_id] = await store.insert_servers(tx, [NewServer.of(person, key, ask, clock.now())])
        return server_id

    async def _changes(
        self, tx: Tx, person: Person, server: Server, ask: Ask, new_name: str | None
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if new_name is not None and new_name != server.key.name:
            parse_server_name(new_name)
            if not server.key.name:
                raise Invalid("The default server cannot be renamed.")
            if await store.find_server(tx, ServerKey(person.name, new_name)) is not None:
                raise ServerExists(f"User {person.name} already has server {new_name!r}")
            values["name"] = new_name
        if ask.display_name is not None:
            values["display_name"] = parse_display_name(ask.display_name)
        if ask.options is not None:
            values["options"] = dict(ask.options)
        if not values and new_name is None:
            raise Invalid("Must specify at least one field to modify.")
        return values


def _gone(server: Server | None) -> bool:
    return server is None or (server.phase is Phase.STOPPED and not server.active)


def _spoken(key: ServerKey) -> str:
    return f"{key.user}:{key.name}" if key.name else key.user
