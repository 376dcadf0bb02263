"""Profiles in the database: declared by the settings, changed by the API, never overwritten."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from apphub.db import tables as t
from apphub.declared.profiles import apply_profiles
from apphub.errors import Conflict, Invalid
from apphub.people.model import Declared, NoSuchUser
from apphub.profiles.actions import AnotherDefault, NoSuchBinding, NoSuchVersion, Profiles
from apphub.profiles.model import BadOption, NoSuchProfile, NotYours
from apphub.profiles.whom import ALL, Whom
from apphub.servers.model import Ask, ServerKey
from apphub.settings import Profile
from fakes.people import BY, Town

KEY = ServerKey("ada", "lab")


def profile(slug: str = "new", **keys: Any) -> Profile:
    return Profile.model_validate({"slug": slug, "command": ["app"], **keys})


async def apply(town: Town, *profiles: Profile) -> list[str]:
    changed = await apply_profiles(town.db, profiles)
    await town.profiles.refresh()
    return changed


async def numbers(town: Town, slug: str) -> list[int]:
    _, versions = await town.profiles.versions(slug)
    return [version.number for version in versions]


async def start(town: Town, slug: str, **options: Any) -> Any:
    server = await town.servers.start(BY, KEY, Ask(options={"profile": slug, **options}))
    assert server.plan is not None
    return server.plan


async def test_settings_that_say_the_same_change_nothing(town: Town) -> None:
    one = profile(groups=["g"], memory_limit="1G", start_timeout="2m")
    assert await apply(town, one) == ["new", "open", "closed", "choosy"]
    assert await apply(town, one) == []
    assert await numbers(town, "new") == [1]


async def test_what_changes_in_the_settings_is_a_new_version(town: Town) -> None:
    await apply(town, profile(groups="everyone"))
    assert await apply(town, profile(groups="everyone", command=["other"])) == ["new"]
    assert await numbers(town, "new") == [2, 1]
    assert (await town.profiles.get("new")).profile.command == ("other",)


async def test_what_leaves_the_settings_is_offered_no_longer_and_can_be_brought_back(town: Town) -> None:
    await town.add("ada")
    await apply(town, profile(groups="everyone"))
    await apply(town)
    with pytest.raises(NoSuchProfile):
        await start(town, "new")
    assert [one.slug for one in await town.profiles.list_all(withdrawn=False)] == []
    withdrawn = {one.slug for one in await town.profiles.list_all(withdrawn=True)}
    assert withdrawn == {"new", "open", "closed", "choosy"}
    await town.profiles.roll_back(BY, "new", 1)
    with pytest.raises(NotYours):  # whom the settings let in went with them
        await start(town, "new")
    await town.profiles.bind(BY, "new", ALL, {})
    assert (await start(town, "new")).profile_version == 2


async def test_the_groups_of_the_settings_do_not_touch_bindings_of_the_api(town: Town) -> None:
    await town.add("ada")
    await apply(town, profile(groups=["g"]))
    await town.profiles.bind(BY, "new", Whom("user", "ada"), {})
    await apply(town, profile(groups=["h"]))
    assert {one.whom for one in (await town.profiles.get("new")).bindings} == {"group:h", "user:ada"}


async def test_the_api_cannot_contradict_the_settings_and_may_repeat_them(town: Town) -> None:
    await apply(town, profile(groups=["g"], command=["app"]))
    same, new = await town.profiles.put(BY, "new", {"command": ["app"]})
    assert (same.version, new) == (1, False)
    with pytest.raises(Declared):
        await town.profiles.put(BY, "new", {"command": ["other"]})
    with pytest.raises(Declared):
        await town.profiles.withdraw(BY, "new")
    with pytest.raises(Declared):
        await town.profiles.unbind(BY, "new", (await town.profiles.get("new")).bindings[0].id)
    assert await numbers(town, "new") == [1]


async def test_a_server_remembers_the_version_it_was_started_with(town: Town) -> None:
    await town.add("ada")
    await town.profiles.put(BY, "mine", {"command": ["one"], "groups": "everyone"}, create=True)
    plan = await start(town, "mine")
    await town.profiles.put(BY, "mine", {"command": ["two"]})
    server = await town.servers.find(KEY)
    assert server is not None
    assert server.plan == plan
    assert (plan.profile_version, plan.command) == (1, ("one",))


async def test_rolling_back_is_a_new_version_that_is_what_the_old_one_was(town: Town) -> None:
    for word in ("one", "two"):
        await town.profiles.put(BY, "mine", {"command": [word]})
    offer = await town.profiles.roll_back(BY, "mine", 1)
    assert (offer.version, offer.profile.command) == (3, ("one",))
    assert await numbers(town, "mine") == [3, 2, 1]
    with pytest.raises(NoSuchVersion):
        await town.profiles.roll_back(BY, "mine", 9)


async def test_a_profile_is_made_once_and_brought_back_under_its_name(town: Town) -> None:
    await town.profiles.put(BY, "mine", {"command": ["one"]}, create=True)
    with pytest.raises(Conflict):
        await town.profiles.put(BY, "mine", {"command": ["two"]}, create=True)
    await town.profiles.withdraw(BY, "mine")
    with pytest.raises(NoSuchProfile):
        await town.profiles.withdraw(BY, "mine")
    offer, new = await town.profiles.put(BY, "mine", {"command": ["one"]}, create=True)
    assert (offer.version, new) == (2, True)


async def test_only_one_profile_is_the_default(town: Town) -> None:
    with pytest.raises(AnotherDefault, match="open is the default already"):
        await town.profiles.put(BY, "mine", {"command": ["one"], "default": True})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"comand": ["x"]}, "comand: is unknown; did you mean `command`?"),
        ({}, "command: is missing"),
        ({"command": ["x"], "environment_path": "relative"}, "must be an absolute path"),
        ({"command": ["x"], "groups": 7}, "must be a list of names of groups"),
        ({"command": ["{nope}"]}, "unknown placeholder"),
    ],
)
async def test_a_profile_that_is_wrong_is_refused_in_words(
    town: Town, body: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await town.profiles.put(BY, "mine", body)
    assert words in str(caught.value)
    with pytest.raises(NoSuchProfile):
        await town.profiles.get("mine")


async def test_the_gate_of_a_start_knows_what_another_replica_has_just_done(town: Town) -> None:
    await town.add("ada", groups={"analysts": ["ada"]})
    elsewhere = Profiles(town.db)
    bound = await elsewhere.bind(BY, "choosy", Whom("user", "ada"), {"size": "big"})
    assert bound.options == {"size": "big"}
    await elsewhere.put(BY, "mine", {"command": ["x"], "groups": ["analysts"]})
    assert town.profiles.catalogue.find("mine") is None  # not heard of it yet
    assert (await start(town, "mine")).profile == "mine"


async def test_a_binding_is_of_the_person_and_not_of_the_name(town: Town) -> None:
    await town.add("ada", "eva")
    await town.profiles.put(BY, "mine", {"command": ["x"]})
    await town.profiles.bind(BY, "mine", Whom("user", "ada"), {})
    await town.servers.change_user(await town.actor(), BY, "ada", admin=None, new_name="zoe")
    await town.servers.change_user(await town.actor(), BY, "eva", admin=None, new_name="ada")
    with pytest.raises(NotYours):
        await start(town, "mine")
    await town.servers.start(BY, ServerKey("zoe", ""), Ask(options={"profile": "mine"}))


async def test_bindings_name_what_exists_and_fix_what_can_be_chosen(town: Town) -> None:
    with pytest.raises(NoSuchUser):
        await town.profiles.bind(BY, "choosy", Whom("user", "nobody"), {})
    with pytest.raises(Invalid, match="no role"):
        await town.profiles.bind(BY, "choosy", Whom("role", "nothing"), {})
    with pytest.raises(BadOption):
        await town.profiles.bind(BY, "choosy", ALL, {"size": "huge"})
    with pytest.raises(Invalid, match="no option 'colour' to fix"):
        await town.profiles.bind(BY, "choosy", ALL, {"colour": "red"})
    with pytest.raises(NoSuchBinding):
        await town.profiles.unbind(BY, "choosy", 99)


async def test_binding_twice_is_once(town: Town) -> None:
    first = await town.profiles.bind(BY, "closed", Whom("group", "g"), {})
    second = await town.profiles.bind(BY, "closed", Whom("group", "g"), {})
    assert first.id == second.id


async def test_every_change_of_a_profile_is_audited_without_what_is_in_it(town: Town) -> None:
    secret = {"image": "i", "image_pull_secrets": [{"name": "r", "data": "s3cret"}]}
    await town.profiles.put(BY, "mine", {"kind": "image", "container": secret, "groups": ["g"]})
    await town.profiles.put(BY, "mine", {"command": ["x"]})
    await town.profiles.roll_back(BY, "mine", 1)
    await town.profiles.unbind(BY, "mine", (await town.profiles.get("mine")).bindings[0].id)
    await town.profiles.withdraw(BY, "mine")
    async with town.db.read() as tx:
        c = t.audit.c
        entries = sa.select(c.action, c.actor, c.before, c.after).where(c.target == "profile:mine")
        rows = (await tx.execute(entries.order_by(c.id))).all()
    assert [row[0] for row in rows] == [
        *("profile.create", "profile.bind", "profile.change", "profile.change"),
        *("profile.unbind", "profile.withdraw"),
    ]
    assert {row[1] for row in rows} == {BY.actor}
    assert "s3cret" not in str(rows)
