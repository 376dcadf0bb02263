"""The line of starts at work: who goes in next, who waits for what, and about how long."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from apphub.admission import store
from apphub.admission.model import (
    HUB,
    Amount,
    Ledger,
    NeverFits,
    Round,
    Scope,
    Spot,
    Waiting,
    amount_of,
    go_through,
    spots,
)
from apphub.db import Database, Tx
from apphub.people.model import Person
from apphub.profiles import Profiles
from apphub.profiles.model import Catalogue, Offer
from apphub.settings import Profile, Settings

#: Rows of the line that are read at once.
PAGE = 500
#: Seconds for which what was found out about the line is told again; longer when finding out took long.
AGE, SHARE = 0.5, 20
#: A start time is noted when it is this much of what was noted before, or more, away from that.
NEWS = 0.2


def asks(profile: Profile) -> tuple[int, int]:
    """Thousandths of a processor and bytes that count for a server: what is kept for it, or else its limit."""
    cpu = profile.cpu_guarantee or profile.cpu_limit or 0
    return round(cpu * 1000), profile.memory_guarantee or profile.memory_limit or 0


class Standing(Protocol):
    """What is to be known of a server."""

    @property
    def id(self) -> int:
        """Its key."""

    @property
    def waits(self) -> bool:
        """Whether it was asked for and is not let in yet."""


class Admission:
    """Limits of the settings and profiles, over the rows of servers."""

    def __init__(self, db: Database, profiles: Profiles, settings: Settings) -> None:
        self._db = db
        self._profiles = profiles
        self._concurrent = settings.limits.concurrent_starts
        self._per_user = amount_of(settings.limits.user)
        self._fixed = {HUB: amount_of(settings.limits)} | {
            Scope("group", name): amount_of(group.limits) for name, group in settings.groups.items()
        }
        self._groups = [str(scope.key) for scope, limit in self._fixed.items() if limit.any and scope != HUB]
        self._times: dict[int, tuple[float, float]] = {}
        self._spots: Mapping[int, Spot] = {}
        self._good_until = self._looked = 0.0
        self._looking = asyncio.Lock()

    # -- the reconciler's ------------------------------------------------------------------

    async def next(self, tx: Tx, now: datetime, most: int) -> Round:
        """Who may go in now, at most so many, and who never can.

        What was let in counts once the transaction is committed: whoever lets in takes turns
        (`db.lock`) with all others who do.
        """
        found = Round()
        if most <= 0 or not await store.anybody_waits(tx):
            return found
        ledger = await self._ledger(tx, await self._profiles.current(tx))
        after = 0
        while not ledger.full and len(found.let_in) < most:
            page = await self._filled(tx, ledger, await store.list_line(tx, PAGE, after, now))
            go_through(page, ledger, found, most=most)
            if len(page) < PAGE:
                break
            after += PAGE
        return found

    async def started(self, tx: Tx, profile_id: int, seconds: float) -> None:
        """Learn from a start that went well; written only when it is news."""
        mean, noted = self._times.get(profile_id, (seconds, 0.0))
        mean += (seconds - mean) / 5
        if abs(mean - noted) > NEWS * noted:
            noted = mean
            await store.put_time(tx, profile_id, mean)
        self._times[profile_id] = mean, noted

    # -- who asks --------------------------------------------------------------------------

    def check(self, catalogue: Catalogue, person: Person, offer: Offer) -> None:
        """Raise `NeverFits` unless a start of this profile can have room, now or later."""
        ledger = self._limits(catalogue)
        if (never := ledger.impossible(self._start_of(person, offer))) is not None:
            raise NeverFits(never)

    async def would_wait(self, tx: Tx, person: Person, offer: Offer) -> str | None:
        """What a start of this profile would have to wait for, if it were asked for now."""
        spot = await self._look(tx, self._start_of(person, offer))
        found = spot.get(0)
        return None if found is None else found.words

    async def spots_of(self, servers: Iterable[Standing]) -> Mapping[int, Spot]:
        """The same, of whichever of these servers are not let in yet."""
        return await self.spots([server.id for server in servers if server.waits])

    async def spots(self, ids: Collection[int]) -> Mapping[int, Spot]:
        """Where those of these servers stand that have to wait, as it was a moment ago."""
        if not ids:
            return {}
        now = asyncio.get_running_loop().time
        async with self._looking:
            unknown = any(server_id not in self._spots for server_id in ids)
            if now() > self._good_until or (unknown and now() > self._looked + AGE / 5):
                begun = now()
                async with self._db.read() as tx:
                    self._spots = await self._look(tx)
                self._looked = now()
                self._good_until = self._looked + max(AGE, SHARE * (self._looked - begun))
        return {server_id: self._spots[server_id] for server_id in ids if server_id in self._spots}

    async def _look(self, tx: Tx, last: Waiting | None = None) -> dict[int, Spot]:
        """The whole line, perhaps with one more at its end."""
        ledger = await self._ledger(tx, await self._profiles.current(tx), [last] if last is not None else ())
        line = await self._filled(tx, ledger, await store.list_line(tx, 1_000_000))
        line += [last] if last is not None else []
        found = Round()
        go_through(line, ledger, found)
        return spots(line, found, ledger, await store.list_times(tx))

    def _start_of(self, person: Person, offer: Offer) -> Waiting:
        cpu, memory = asks(offer.profile)
        groups = tuple(sorted(set(person.groups) & set(self._groups)))
        return Waiting(0, person.id, person.name, offer.id, cpu, memory, groups)

    # -- limits ----------------------------------------------------------------------------

    def _limits(self, catalogue: Catalogue) -> Ledger:
        of_profiles = {
            Scope("profile", offer.id): amount_of(offer.profile.limits) for offer in catalogue.offers.values()
        }
        return Ledger(
            {scope: limit for scope, limit in (self._fixed | of_profiles).items() if limit.any},
            per_user=self._per_user,
            concurrent=self._concurrent,
            slugs={offer.id: slug for slug, offer in catalogue.offers.items()},
        )

    async def _ledger(self, tx: Tx, catalogue: Catalogue, extra: Iterable[Waiting] = ()) -> Ledger:
        ledger = self._limits(catalogue)
        limited = ledger.limits
        ledger.used = await store.takes(
            tx,
            hub=HUB in limited,
            users=[row.user_id for row in extra] if self._per_user.any else (),
            groups=self._groups,
            profiles=[int(scope.key) for scope in limited if scope.kind == "profile"],
        )
        if self._concurrent:
            ledger.starting = await store.count_starting(tx)
        return ledger

    async def _filled(self, tx: Tx, ledger: Ledger, page: list[Waiting]) -> list[Waiting]:
        """The rows with their groups; what their users take is added to the ledger."""
        users = {row.user_id for row in page}
        if self._per_user.any:
            new = [user for user in users if Scope("user", user) not in ledger.used]
            found = await store.takes(tx, hub=False, users=new, groups=(), profiles=())
            for user in new:
                scope = Scope("user", user)
                ledger.used[scope] = found.get(scope, Amount())
        if not self._groups:
            return page
        groups = await store.groups_of(tx, users, self._groups)
        return [row._replace(groups=groups.get(row.user_id, ())) for row in page]
