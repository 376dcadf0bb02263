"""Running servers follow their profile's policy when the right to launch them is lost, and only then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apphub.db import tables as t
from apphub.declared.profiles import apply_profiles
from apphub.kit import clock
from apphub.profiles.whom import Whom
from apphub.reconcile.launch_rights import LaunchRights, Verdict, judge
from apphub.servers.model import Ask, Phase, ServerKey, Wanted
from apphub.settings import Profile, effective_profiles
from fakes.people import BY, Town

KEY = ServerKey("ada", "lab")
SECOND = timedelta(seconds=1)


class Place:
    """A town in which ada runs a profile of the group `analysts`."""

    def __init__(self, town: Town, rights: LaunchRights) -> None:
        self.town, self.rights = town, rights

    @classmethod
    async def of(cls, town: Town, policy: str, *, begun: bool = True) -> Place:
        profiles = [
            one.model_copy(update={"on_group_loss": policy}) if one.slug == "closed" else one
            for one in effective_profiles(town.settings)
        ]
        await apply_profiles(town.db, profiles)
        await town.add("ada", "bob", groups={"analysts": ["ada", "bob"]})
        for name in ("ada", "bob"):
            key = ServerKey(name, "lab")
            await town.servers.start(BY, key, Ask(options={"profile": "closed"}))
        place = cls(town, LaunchRights(town.db, town.profiles, "block"))
        if begun:
            await place.update(phase=Phase.READY, phase_attempt=1)
        await place.settle()
        return place

    async def update(self, **values: Any) -> None:
        async with self.town.db.write() as tx:
            await tx.execute(sa.update(t.servers).values(**values))

    async def settle(self) -> None:
        while await self.rights.look():
            pass

    async def lose(self) -> None:
        await self.town.people.remove_members(BY, "analysts", ["ada"])
        await self.settle()

    async def state(self, name: str = "ada") -> tuple[str, bool]:
        """What is wanted of a server, and whether its end is set."""
        statement = (
            sa.select(t.servers.c.wanted, t.servers.c.ends).join(t.users).where(t.users.c.name == name)
        )
        async with self.town.db.read() as tx:
            row = (await tx.execute(statement)).one()
        return row[0], row[1] is not None


async def test_block_lets_what_runs_go_on(town: Town) -> None:
    place = await Place.of(town, "block")
    await place.lose()
    assert await place.state() == (Wanted.RUNNING, False)


async def test_stop_stops_at_once_with_a_word_and_nobody_elses(town: Town) -> None:
    place = await Place.of(town, "stop")
    await place.lose()
    assert await place.state("ada") == (Wanted.STOPPED, False)
    assert await place.state("bob") == (Wanted.RUNNING, False)
    server = await town.servers.find(KEY)
    assert server is not None
    assert (await town.servers.events(server))[-1].message == "Stopped: ada may no longer start closed."


async def test_grace_ends_by_itself(town: Town) -> None:
    place = await Place.of(town, "grace 10m")
    await place.lose()
    assert await place.state() == (Wanted.RUNNING, True)
    await place.update(ends=clock.now() - SECOND)
    await place.settle()
    assert await place.state("ada") == (Wanted.STOPPED, False)


async def test_a_right_that_comes_back_takes_the_end_away(town: Town) -> None:
    place = await Place.of(town, "grace 10m")
    await place.lose()
    await town.people.add_members(await town.actor(), BY, "analysts", ["ada"])
    await place.settle()
    assert await place.state() == (Wanted.RUNNING, False)


async def test_another_way_in_keeps_the_server(town: Town) -> None:
    place = await Place.of(town, "stop")
    await town.profiles.bind(BY, "closed", Whom("user", "ada"), {})
    await place.lose()
    assert await place.state() == (Wanted.RUNNING, False)


async def test_a_start_that_waits_is_taken_back_whatever_the_policy(town: Town) -> None:
    place = await Place.of(town, "block", begun=False)
    await place.lose()
    assert await place.state() == (Wanted.STOPPED, False)


async def test_a_group_that_goes_takes_the_right_with_it(town: Town) -> None:
    place = await Place.of(town, "stop")
    await town.people.delete_group(BY, "analysts")
    await place.settle()
    assert await place.state("ada") == await place.state("bob") == (Wanted.STOPPED, False)


async def test_settings_that_close_a_profile_count_at_once(town: Town) -> None:
    place = await Place.of(town, "stop")
    closed = Profile.model_validate(
        {"slug": "closed", "groups": ["others"], "command": ["app"], "on_group_loss": "stop"}
    )
    await apply_profiles(town.db, [closed])
    await place.settle()
    assert await place.state() == (Wanted.STOPPED, False)


async def test_a_profile_that_is_withdrawn_ends_nothing(town: Town) -> None:
    place = await Place.of(town, "stop")
    await apply_profiles(town.db, [])
    await place.lose()
    assert await place.state() == (Wanted.RUNNING, False)


async def test_the_next_start_forgets_an_end_that_was_set(town: Town) -> None:
    place = await Place.of(town, "grace 10m")
    await place.lose()
    await place.update(phase=Phase.FAILED)
    await town.servers.start(BY, KEY, Ask(options={"profile": "open"}))
    assert await place.state() == (Wanted.RUNNING, False)


NOW = clock.now()


@pytest.mark.parametrize(
    ("may", "begun", "grace", "ends", "verdict"),
    [
        (True, True, timedelta(0), None, Verdict.KEEP),
        (True, False, None, None, Verdict.KEEP),
        (True, True, SECOND, NOW, Verdict.SPARE),
        (False, True, None, None, Verdict.KEEP),
        (False, True, None, NOW, Verdict.SPARE),  # the policy has become milder
        (False, True, timedelta(0), None, Verdict.STOP),
        (False, True, timedelta(0), NOW + SECOND, Verdict.STOP),  # … and stricter
        (False, True, SECOND, None, Verdict.WARN),
        (False, True, SECOND, NOW + SECOND, Verdict.KEEP),
        (False, True, SECOND, NOW, Verdict.STOP),
        (False, False, None, None, Verdict.STOP),
        (False, False, SECOND, None, Verdict.STOP),
    ],
)
def test_what_is_done_follows_from_right_policy_and_time(
    may: bool, begun: bool, grace: timedelta | None, ends: Any, verdict: Verdict
) -> None:
    assert judge(may_launch=may, begun=begun, grace=grace, ends=ends, now=NOW) is verdict
