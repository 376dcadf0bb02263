"""The lists, each within the reach of whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from apphub.access.actor import Reach
from apphub.db import Database
from apphub.db.types import to_micros
from apphub.kit import clock
from apphub.listings import keyset, store
from apphub.listings.model import (
    Ask,
    AskNamed,
    AskServers,
    AskServices,
    AskTokens,
    AskUsers,
    GroupLine,
    Member,
    Part,
    ServerLine,
    TokenLine,
    UserLine,
    Value,
)
from apphub.people.model import NoSuchGroup, Service


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _by_name(ask: AskNamed) -> Callable[[GroupLine | Service], tuple[Value, ...]]:
    """What the list is ordered by."""
    by_name = ask.order.removeprefix("-") == "name"
    return lambda one: (one.name if by_name else one.id,)


class Listings(Struct, frozen=True):
    """Lists of users, groups, servers, services and tokens."""

    db: Database

    async def users(self, reach: Reach, ask: AskUsers) -> Part[UserLine]:
        """A page of users."""
        async with self.db.read() as tx:
            rows = await store.list_users(tx, reach, ask)

        def values(line: UserLine) -> tuple[Value, ...]:
            person = line.person
            match ask.order.removeprefix("-"):
                case "name":
                    return (person.name,)
                case "activity":
                    return (_micros(person.last_activity), person.id)
                case _:
                    return (person.id,)

        return keyset.part(rows, ask.limit, ask.cursor, values)

    async def user_names(self, reach: Reach, ask: AskUsers, *, most: int) -> list[str]:
        """The names of all that match, on whatever page, at most so many."""
        async with self.db.read() as tx:
            return await store.list_user_names(tx, reach, ask, most)

    async def groups(self, reach: Reach, ask: AskNamed) -> Part[GroupLine]:
        """A page of groups."""
        async with self.db.read() as tx:
            rows = await store.list_groups(tx, reach, ask)
        return keyset.part(rows, ask.limit, ask.cursor, _by_name(ask))

    async def group(self, name: str) -> tuple[GroupLine, dict[str, Any]]:
        """A group without its members, and its properties; raises `NoSuchGroup`."""
        async with self.db.read() as tx:
            found = await store.find_group(tx, name)
        if found is None:
            raise NoSuchGroup(name)
        return found

    async def members(self, group_id: int, ask: Ask) -> Part[Member]:
        """A page of a group's members."""
        async with self.db.read() as tx:
            rows = await store.list_members(tx, group_id, ask)
        return keyset.part(rows, ask.limit, ask.cursor, lambda line: (line.name,))

    async def servers(self, reach: Reach, ask: AskServers) -> Part[ServerLine]:
        """A page of servers that were ever started."""
        async with self.db.read() as tx:
            rows = await store.list_servers(tx, reach, ask)

        def values(line: ServerLine) -> tuple[Value, ...]:
            if ask.order.removeprefix("-") == "activity":
                return (_micros(line.server.last_activity), line.server.id)
            return (line.server.id,)

        return keyset.part(rows, ask.limit, ask.cursor, values)

    async def server_names(self, reach: Reach, ask: AskServers, *, most: int) -> list[str]:
        """All that match as `ada/lab`, on whatever page, at most so many."""
        async with self.db.read() as tx:
            return await store.list_server_names(tx, reach, ask, most)

    async def services(self, reach: Reach, ask: AskServices) -> Part[Service]:
        """A page of services."""
        async with self.db.read() as tx:
            rows = await store.list_services(tx, reach, ask)
        return keyset.part(rows, ask.limit, ask.cursor, _by_name(ask))

    async def tokens(self, reach: Reach, ask: AskTokens) -> Part[TokenLine]:
        """A page of live tokens."""
        async with self.db.read() as tx:
            rows = await store.list_tokens(tx, reach, ask, to_micros(clock.now()))
        return keyset.part(rows, ask.limit, ask.cursor, lambda line: (line.token.id,))

    async def known(self, users: list[str], groups: list[str]) -> tuple[set[str], set[str]]:
        """Which of these names are taken by users, and which of these groups there are."""
        async with self.db.read() as tx:
            return await store.find_names(tx, users, groups)
