"""Profiles: what the caller may launch."""

from __future__ import annotations

from typing import cast

from litestar import Response, get

from apphub.access.grants import Target
from apphub.api.schema.shapes import OptionModel, ProfileModel
from apphub.api.wire import user_target
from apphub.people.model import NoSuchUser
from apphub.profiles.model import Nobody, Starter
from apphub.settings import Option, Profile
from apphub.web.json import answer
from apphub.web.needs import signed_in
from apphub.web.request import HubRequest
from apphub.web.says import Query, says


def option_json(option: Option) -> OptionModel:
    """One option of a profile, as JSON Schema names its parts."""
    schema = {
        "type": option.type,
        "title": option.title,
        "description": option.description,
        "default": option.default,
        "enum": list(option.choices) if option.choices is not None else None,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "pattern": option.pattern,
    }
    return cast("OptionModel", {key: value for key, value in schema.items() if value not in (None, "")})


def profile_json(profile: Profile) -> ProfileModel:
    """A profile as people choose it: nothing of how it is started."""
    return {
        "slug": profile.slug,
        "display_name": profile.display_name or profile.slug,
        "description": profile.description,
        "icon": profile.icon,
        "default": profile.default,
        "memory_limit": profile.memory_limit,
        "cpu_limit": profile.cpu_limit,
        "options": {name: option_json(option) for name, option in profile.options.items()},
        "extra_options": profile.extra_options,
    }


@get(
    "/hub/api/profiles",
    guards=[signed_in()],
    opt=says(
        {200: list[ProfileModel]},
        query=[Query("user", str, "Whose: the caller's own, when nothing is said.")],
        refuses=[404],
    ),
)
async def list_profiles(request: HubRequest) -> Response[bytes]:
    """The profiles that the caller may launch now; with `?user=`, those that this user may, for who may start
    their servers.
    """
    who: Starter = request.actor if request.actor.kind == "user" else Nobody()
    if name := request.query_params.get("user"):
        account = await request.hub.views.find_account(name)
        person = account.person if account is not None else None
        target = user_target(person) if person is not None else Target(user=name)
        request.actor.demand(target, "start:servers")
        if person is None:
            raise NoSuchUser(name)
        who = person
    return answer([profile_json(profile) for profile in request.hub.catalogue.open_to(who)])


ROUTES = [list_profiles]
