"""What servers tell of when they and their people were last active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from apphub.db import Database
from apphub.db.together import Together
from apphub.errors import HubError, Invalid, shown
from apphub.people.model import NoSuchUser
from apphub.servers import seen


class Active(Struct, frozen=True):
    """One person and some of their servers were active, each until then."""

    user: str
    last: datetime | None
    servers: Mapping[str, datetime]


class Activity:
    """Writes what is told at one moment in one transaction: with many servers these are most of all writes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._together = Together(db, self._write)

    async def note(self, active: Active) -> None:
        """Record it, only ever forward; raises `NoSuchUser`, and `Invalid` for a server that there is not."""
        if (refusal := await self._together(active)) is not None:
            raise refusal

    async def _write(self, told: Sequence[Active]) -> Sequence[HubError | None]:
        people: dict[int, datetime] = {}
        servers: dict[int, datetime] = {}
        async with self._db.write() as tx:
            ids, ids_of_servers = await seen.find_ids(
                tx, {one.user for one in told}, {name for one in told for name in one.servers}
            )
            refusals = [_refusal(one, ids, ids_of_servers) for one in told]
            for one, refusal in zip(told, refusals, strict=True):
                if refusal is not None:
                    continue
                for name, moment in one.servers.items():
                    _forward(servers, ids_of_servers[one.user, name], moment)
                    _forward(people, ids[one.user], moment)
                if one.last is not None:
                    _forward(people, ids[one.user], one.last)
            await seen.note_servers(tx, servers)
            await seen.note_people(tx, people)
        return refusals


def _refusal(
    one: Active, people: Mapping[str, int], servers: Mapping[tuple[str, str], int]
) -> HubError | None:
    if one.user not in people:
        return NoSuchUser(one.user)
    for name in one.servers:
        if (one.user, name) not in servers:
            return Invalid(f"No such server {shown(name)} for user {one.user}")
    return None


def _forward(moments: dict[int, datetime], key: int, moment: datetime) -> None:
    moments[key] = max(moments.get(key, moment), moment)
