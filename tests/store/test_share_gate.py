"""What its owner may not start (any more) is opened to nobody anew, and closed to nobody by that alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
import sqlalchemy as sa

from apphub.access.grants import Target
from apphub.db import Database
from apphub.db import tables as t
from apphub.declared.profiles import apply_profiles
from apphub.profiles.model import NotYours
from apphub.reconcile.launch_rights import LaunchRights
from apphub.servers.model import Ask, Phase, ServerKey, Wanted
from apphub.settings import Profile, effective_profiles
from apphub.shares import Shares
from apphub.shares.model import LEVELS, Closed, Level, Of, With
from fakes.people import BY, Town

LAB = ServerKey("ada", "lab")
BOB, CARL, TEAM = With(user="bob"), With(user="carl"), With(group="team")
ROLE = {"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]}


class Place:
    """A town in which ada runs a profile of the group `analysts`, and has shared it with bob."""

    def __init__(self, town: Town) -> None:
        self.town, self.shares = town, Shares(town.db, town.profiles)

    @classmethod
    async def of(cls, db: Database, policy: str) -> Place:
        town = await Town.of(db, roles=[ROLE])
        place = cls(town)
        await place.offer(
            one.model_copy(update={"on_group_loss": policy}) if one.slug == "closed" else one
            for one in effective_profiles(town.settings)
        )
        await town.add("ada", "bob", "carl", groups={"analysts": ["ada"], "team": ["carl"]})
        await town.servers.start(BY, LAB, Ask(options={"profile": "closed"}))
        async with db.write() as tx:
            await tx.execute(sa.update(t.servers).values(phase=Phase.READY, phase_attempt=1))
        await place.grant("ada", BOB, LEVELS[Level.VIEW])
        return place

    async def offer(self, profiles: Iterable[Profile]) -> None:
        await apply_profiles(self.town.db, list(profiles))

    async def grant(self, who: str, whom: With, scopes: Sequence[str] | None = None) -> None:
        await self.shares.grant(await self.town.actor(who), BY, LAB, whom, scopes)

    async def lose(self) -> None:
        await self.town.people.remove_members(BY, "analysts", ["ada"])
        rights = LaunchRights(self.town.db, self.town.profiles, "block")
        while await rights.look():
            pass

    async def shared(self) -> list[tuple[str | None, tuple[str, ...]]]:
        found, _ = await self.shares.list_shares(Of(server=LAB), offset=0, limit=9)
        return [(share.user or share.group, share.scopes) for share in found]

    async def wanted(self) -> Wanted:
        server = await self.town.servers.find(LAB)
        assert server is not None
        return server.wanted


async def test_nobody_opens_to_anybody_what_its_owner_may_no_longer_start(db: Database) -> None:
    place = await Place.of(db, "block")
    ada = await place.town.actor("ada")
    before = await place.shared()
    await place.lose()
    for who in ("ada", "root"):  # it is the owner who counts, whoever asks
        for whom in (CARL, TEAM):
            with pytest.raises(Closed, match="analysts"):
                await place.grant(who, whom)
        with pytest.raises(Closed):
            await place.grant(who, BOB, ["access:servers"])  # more for somebody who has some
        with pytest.raises(Closed):
            await place.shares.create_code(await place.town.actor(who), BY, LAB, None, None)
    with pytest.raises(Closed):  # who asked before they lost it and is still remembered
        await place.shares.grant(ada, BY, LAB, BOB, LEVELS[Level.USE], replace=True)
    assert await place.shared() == before
    assert (await place.shares.list_codes(Of(server=LAB), offset=0, limit=9))[1] == 0


async def test_a_code_made_before_is_worth_nothing_after(db: Database) -> None:
    place = await Place.of(db, "block")
    _, secret = await place.shares.create_code(await place.town.actor("ada"), BY, LAB, None, None)
    await place.lose()
    carl = await place.town.actor("carl")
    with pytest.raises(Closed):
        await place.shares.find_code(secret)
    with pytest.raises(Closed):
        await place.shares.accept(carl, BY, secret)
    assert [name for name, _ in await place.shared()] == ["bob"]
    await place.town.people.add_members(await place.town.actor(), BY, "analysts", ["ada"])
    await place.shares.accept(carl, BY, secret)
    assert [name for name, _ in await place.shared()] == ["bob", "carl"]


@pytest.mark.parametrize(("policy", "wanted"), [("block", Wanted.RUNNING), ("stop", Wanted.STOPPED)])
async def test_what_was_shared_before_lasts_as_long_as_the_server_may_run(
    db: Database, policy: str, wanted: Wanted
) -> None:
    place = await Place.of(db, policy)
    await place.grant("ada", BOB, ["access:servers", "start:servers"])
    await place.lose()
    assert await place.wanted() is wanted
    bob = await place.town.actor("bob")
    assert bob.may("access:servers", Target(user="ada", server="ada/lab"))
    async with db.write() as tx:
        await tx.execute(sa.update(t.servers).values(phase=Phase.STOPPED, wanted=Wanted.STOPPED))
    with pytest.raises(NotYours):  # nor does a guest start it again
        await place.town.servers.start(BY, LAB, Ask())
    with pytest.raises(Closed):  # nor does a stop make it another server
        await place.grant("ada", CARL)
    assert await place.shares.revoke(BY, LAB, BOB) is None  # and it can always be ended
    assert await place.shared() == []


async def test_other_options_for_the_next_start_open_nothing_today(db: Database) -> None:
    place = await Place.of(db, "block")
    await place.lose()
    async with db.write() as tx:
        await tx.execute(sa.update(t.servers).values(phase=Phase.STOPPED, wanted=Wanted.STOPPED))
    await place.town.servers.modify(BY, LAB, Ask(options={"profile": "open"}), new_name=None)
    with pytest.raises(Closed):
        await place.grant("ada", CARL)
    await place.town.servers.start(BY, LAB, Ask())
    await place.grant("ada", CARL)  # now it is another app, which she may start


async def test_a_profile_that_is_gone_is_shared_no_more(db: Database) -> None:
    place = await Place.of(db, "block")
    await place.offer(one for one in effective_profiles(place.town.settings) if one.slug != "closed")
    with pytest.raises(Closed, match="There is no profile"):
        await place.grant("ada", CARL)
    with pytest.raises(Closed):
        await place.shares.create_code(await place.town.actor("ada"), BY, LAB, None, None)


async def test_what_was_never_started_is_shared_as_it_is(db: Database) -> None:
    place = await Place.of(db, "block")
    await place.lose()
    key = ServerKey("ada", "new")
    await place.town.servers.create(BY, key, Ask(options={"profile": "closed"}))
    ada = await place.town.actor("ada")
    await place.shares.grant(ada, BY, key, BOB, ["access:servers", "start:servers"])
    with pytest.raises(NotYours):
        await place.town.servers.start(BY, key, Ask())
