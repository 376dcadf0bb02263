"""A server opened to others: to just those, for just that, and closed again at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.db import Database
from apphub.errors import Invalid, NotFound
from apphub.kit import clock
from apphub.servers.model import Ask, ServerKey
from apphub.shares import Shares
from apphub.shares.model import MayNotShare, NoSuchShare, Of, With
from fakes.people import BY, Town

LAB = ServerKey("ada", "lab")
BOB, TEAM = With(user="bob"), With(group="team")
#: What lets people share, and know whom with.
ROLE = {"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]}


@pytest.fixture
async def town(db: Database) -> Town:
    town = await Town.of(db, roles=[ROLE])
    await town.add("ada", "bob", "carl", groups={"team": ["carl"]})
    await town.servers.create(BY, LAB, Ask())
    return town


@pytest.fixture
def shares(town: Town) -> Shares:
    return Shares(town.db, town.profiles)


async def _may(town: Town, name: str, scope: str = "access:servers", key: ServerKey = LAB) -> bool:
    return (await town.actor(name)).may(scope, Target(user=key.user, server=str(key)))


async def _ada(town: Town) -> Actor:
    return await town.actor("ada")


async def test_a_share_opens_one_server_to_one_person_and_ends_at_once(town: Town, shares: Shares) -> None:
    await town.servers.create(BY, ServerKey("ada", "other"), Ask())
    assert not await _may(town, "bob")
    share = await shares.grant(await _ada(town), BY, LAB, BOB, None)
    assert (share.user, share.group, share.scopes) == ("bob", None, ("access:servers",))
    assert await _may(town, "bob")
    assert not await _may(town, "bob", "start:servers")
    assert not await _may(town, "bob", key=ServerKey("ada", "other"))
    assert not await _may(town, "carl")
    await shares.revoke(BY, LAB, BOB)
    assert not await _may(town, "bob")


async def test_a_share_with_a_group_is_for_whoever_is_in_it_now(town: Town, shares: Shares) -> None:
    await shares.grant(await _ada(town), BY, LAB, TEAM, ["servers"])
    assert await _may(town, "carl", "start:servers")
    await town.people.remove_members(BY, "team", ["carl"])
    assert not await _may(town, "carl", "start:servers")
    await town.people.add_members(await town.actor(), BY, "team", ["bob"])
    assert await _may(town, "bob", "start:servers")


async def test_a_share_ends_by_itself_also_in_what_is_remembered_of_a_token(
    town: Town, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shares.grant(await _ada(town), BY, LAB, BOB, None, timedelta(minutes=5))
    made = await town.access.create_token(await town.actor("bob"), BY, "bob", scopes=None, note="", life=None)
    target = Target(user="ada", server="ada/lab")
    actor = await town.access.by_token(made.secret)
    assert actor is not None
    assert actor.may("access:servers", target)
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    actor = await town.access.by_token(made.secret)
    assert actor is not None
    assert not actor.may("access:servers", target)
    assert (await shares.list_shares(Of(server=LAB), offset=0, limit=9))[1] == 0


async def test_nobody_shares_what_they_do_not_hold(town: Town, shares: Shares) -> None:
    bob = await town.actor("bob")
    with pytest.raises(MayNotShare):
        await shares.grant(bob, BY, LAB, With(user="carl"), None)
    await shares.grant(await _ada(town), BY, LAB, BOB, ["access:servers"])
    with pytest.raises(MayNotShare):
        await shares.grant(await town.actor("bob"), BY, LAB, With(user="carl"), ["start:servers"])
    with pytest.raises(MayNotShare):
        await shares.create_code(await town.actor("bob"), BY, LAB, ["servers"], None)
    narrow = await town.narrowed("ada", "shares!user=ada")
    with pytest.raises(MayNotShare):
        await shares.grant(narrow, BY, LAB, BOB, ["start:servers"])
    assert not await _may(town, "carl")


async def test_whoever_may_not_know_a_name_cannot_find_out_by_sharing(db: Database) -> None:
    town = await Town.of(db)  # without the right to read names
    shares = Shares(town.db, town.profiles)
    await town.add("ada", "bob", groups={"team": []})
    await town.servers.create(BY, LAB, Ask())
    for whom in (BOB, TEAM, With(user="nobody"), With(group="nothing")):
        with pytest.raises(MayNotShare):
            await shares.grant(await _ada(town), BY, LAB, whom, None)


@pytest.mark.parametrize(
    "scopes",
    [
        ["admin:users"],
        ["tokens"],
        ["self"],
        ["inherit"],
        ["nothing"],
        ["access:servers!user=ada"],
        ["access:servers!server=bob/lab"],
        ["access:servers!server=ada/"],
    ],
)
async def test_only_what_makes_sense_of_one_server_can_be_shared(
    town: Town, shares: Shares, scopes: list[str]
) -> None:
    with pytest.raises(Invalid):
        await shares.grant(await _ada(town), BY, LAB, BOB, scopes)
    assert (await shares.list_shares(Of(server=LAB), offset=0, limit=9)) == ([], 0)


async def test_sharing_again_adds_and_taking_back_takes_just_that(town: Town, shares: Shares) -> None:
    ada = await _ada(town)
    await shares.grant(ada, BY, LAB, BOB, ["access:servers"])
    share = await shares.grant(ada, BY, LAB, BOB, ["read:servers!server=ada/lab"])
    assert share.scopes == ("access:servers", "read:servers")
    left = await shares.revoke(BY, LAB, BOB, ["access:servers"])
    assert left is not None
    assert left.scopes == ("read:servers",)
    assert await shares.revoke(BY, LAB, BOB) is None
    with pytest.raises(NoSuchShare):
        await shares.revoke(BY, LAB, BOB, strict=True)
    with pytest.raises(NoSuchShare):
        await shares.find(LAB, BOB)


async def test_shares_are_listed_by_server_owner_user_and_group(town: Town, shares: Shares) -> None:
    ada = await _ada(town)
    for whom in (BOB, TEAM):
        await shares.grant(ada, BY, LAB, whom, None)
    for of, total in (
        (Of(server=LAB), 2),
        (Of(owner="ada"), 2),
        (Of(owner="bob"), 0),
        (Of(user="bob"), 1),
        (Of(user="carl"), 1),  # by the group
        (Of(group="team"), 1),
    ):
        found, count = await shares.list_shares(of, offset=0, limit=1)
        assert (len(found), count) == (min(total, 1), total), of
    for missing in (Of(user="nobody"), Of(group="nothing"), Of(server=ServerKey("ada", "none"))):
        with pytest.raises(NotFound):
            await shares.list_shares(missing, offset=0, limit=1)
    await shares.revoke_all(BY, LAB)
    assert (await shares.list_shares(Of(server=LAB), offset=0, limit=9))[1] == 0


async def test_a_code_is_worth_its_share_until_it_is_ended(town: Town, shares: Shares) -> None:
    code, secret = await shares.create_code(await _ada(town), BY, LAB, ["access:servers"], None)
    assert len(secret) >= 40
    bob = await town.actor("bob")
    with pytest.raises(NotFound):
        await shares.accept(bob, BY, secret[:-1])
    await shares.accept(bob, BY, secret)
    await shares.accept(bob, BY, secret)  # twice is once
    assert await _may(town, "bob")
    with pytest.raises(Invalid):
        await shares.accept(await _ada(town), BY, secret)
    assert (await shares.find_code(secret)).exchange_count == 2
    await shares.delete_codes(BY, LAB, wire_id=code.wire_id)
    with pytest.raises(NotFound):
        await shares.accept(await town.actor("carl"), BY, secret)
    assert await _may(town, "bob")  # what was accepted stays until it is revoked


async def test_a_code_ends_with_its_time_and_one_servers_codes_are_not_anothers(
    town: Town, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.servers.create(BY, ServerKey("ada", "other"), Ask())
    code, secret = await shares.create_code(await _ada(town), BY, LAB, None, timedelta(minutes=5))
    for wire_id in (code.wire_id, "sc_999", "sc_x", "", "sc_" + "9" * 40):
        with pytest.raises(NotFound):
            await shares.delete_codes(BY, ServerKey("ada", "other"), wire_id=wire_id)
    assert (await shares.list_codes(Of(server=LAB), offset=0, limit=9))[1] == 1
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(NotFound):
        await shares.find_code(secret)


async def test_what_is_deleted_takes_its_shares_with_it(town: Town, shares: Shares) -> None:
    await shares.grant(await _ada(town), BY, LAB, BOB, None)
    _, secret = await shares.create_code(await _ada(town), BY, LAB, None, None)
    await town.servers.stop(BY, LAB, remove=True)
    await town.servers.create(BY, LAB, Ask())  # another server of the same name
    assert not await _may(town, "bob")
    with pytest.raises(NotFound):
        await shares.find_code(secret)
