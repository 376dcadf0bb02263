"""Profiles: what the caller may launch, and for those who may, everything about them.

Who may change profiles may have any program run as the account that servers run as, and is
trusted like an administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, delete, get, patch, post, put

from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.api.bodies import as_object
from apphub.api.schema.profiles import (
    BindingModel,
    Definition,
    FullProfile,
    ListedProfile,
    NewProfile,
    ProfileModel,
)
from apphub.api.wire import user_target
from apphub.errors import Invalid, shown
from apphub.kit.names import SLUG
from apphub.people.model import NoSuchUser
from apphub.profiles.forms import options_schema
from apphub.profiles.model import Binding, Nobody, NoSuchProfile, Offer, Starter
from apphub.profiles.secret import concealed
from apphub.settings import Profile
from apphub.settings.definition import definition_of
from apphub.settings.problems import written
from apphub.web.json import answer, empty
from apphub.web.needs import needs, signed_in
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

ONE = "/hub/api/profiles/{profile:str}"
ANYTHING = Target()


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
        "options": options_schema(profile),
        "extra_options": profile.extra_options,
    }


def binding_json(binding: Binding) -> BindingModel:
    """One way in."""
    return {
        "id": binding.id,
        "user": binding.user,
        "group": binding.group,
        "role": binding.role,
        "options": dict(binding.options or {}),
        "source": "settings" if binding.source == "settings" else "api",
    }


def listed_json(request: HubRequest, offer: Offer) -> ListedProfile:
    """A profile in the list of all."""
    return {
        **profile_json(offer.profile),
        "version": offer.version,
        "source": "settings" if offer.source == "settings" else "api",
        "withdrawn": offer.withdrawn,
        "open": offer.withdrawn is None and request.hub.catalogue.is_open(offer.slug, starter(request.actor)),
    }


def full_json(request: HubRequest, offer: Offer) -> FullProfile:
    """Everything about a profile but its secrets."""
    return {
        **listed_json(request, offer),
        "bindings": [binding_json(binding) for binding in offer.bindings],
        "definition": concealed(definition_of(offer.profile)),
        "notes": notes_of(request, offer.profile),
    }


def notes_of(request: HubRequest, profile: Profile) -> list[str]:
    """What processes do not give a profile, in words."""
    keeps = request.hub.runtime.keeps
    notes = [
        f"{name}_limit: the app is told it, and not held to it: the hub may make no control groups here"
        for name in ("memory", "cpu")
        if getattr(profile, f"{name}_limit") is not None and name not in keeps
    ]
    notes += [
        f"{name}_guarantee: the app is told it, and nothing is kept for it: processes are guaranteed nothing"
        for name in ("memory", "cpu")
        if getattr(profile, f"{name}_guarantee") is not None
    ]
    if profile.container is not None:
        notes += [f"{written(place)}: {words}" for place, words in profile.container.beyond_processes()]
    return notes


def starter(actor: Actor) -> Starter:
    """Whose right to launch counts, where the caller asks for themselves."""
    return actor if actor.kind == "user" else Nobody()


def everywhere(actor: Actor, scope: str) -> bool:
    """Whether a scope is held without any filter: profiles belong to nobody."""
    return actor.holds(scope) and not actor.reach(scope).clauses


@get(
    "/hub/api/profiles",
    guards=[signed_in()],
    opt=says(
        {200: list[ProfileModel] | list[ListedProfile]},
        query=[
            Query("user", str, "Whose: the caller's own, when nothing is said."),
            Query("all", str, "1: every profile, for holders of `list:profiles`."),
            Query("withdrawn", str, "1: with `all`, also those that are offered no longer."),
        ],
        refuses=[404],
    ),
)
async def list_profiles(request: HubRequest) -> Response[bytes]:
    """The profiles that the caller may launch now; with `?user=`, those that this user may, for who may start
    their servers; with `?all=1`, all of them.
    """
    if request.query_params.get("all") not in (None, "", "0"):
        request.actor.demand_unfiltered("list:profiles")
        withdrawn = request.query_params.get("withdrawn") not in (None, "", "0")
        offers = await request.hub.profiles.list_all(withdrawn=withdrawn)
        return answer([listed_json(request, offer) for offer in offers])
    who = starter(request.actor)
    if name := request.query_params.get("user"):
        account = await request.hub.views.find_account(name)
        person = account.person if account is not None else None
        target = user_target(person) if person is not None else Target(user=name)
        request.actor.demand(target, "start:servers")
        if person is None:
            raise NoSuchUser(name)
        who = person
    return answer([profile_json(profile) for profile in request.hub.catalogue.open_to(who)])


@post(
    "/hub/api/profiles",
    guards=[needs("admin:profiles", everywhere=True)],
    opt=says({201: FullProfile}, takes=NewProfile, refuses=[409]),
)
async def create_profile(request: HubRequest) -> Response[bytes]:
    """Make a profile: its `slug`, and keys as in the settings file."""
    body = as_object(await request.body_json())
    offer, _ = await request.hub.profiles.put(request.by, _slug(body.get("slug")), body, create=True)
    return answer(full_json(request, offer), 201)


@get(ONE, guards=[signed_in()], opt=says({200: FullProfile | ProfileModel}))
async def get_profile(request: HubRequest) -> Response[bytes]:
    """One profile: all of it for holders of `read:profiles`, else what is shown to who may launch it."""
    slug = request.segment("profile")
    if everywhere(request.actor, "read:profiles"):
        return answer(full_json(request, await request.hub.profiles.get(slug)))
    mine = request.hub.catalogue.open_to(starter(request.actor))
    profile = next((one for one in mine if one.slug == slug), None)
    if profile is None:
        raise NoSuchProfile(f"There is no profile {shown(slug)}.")
    return answer(profile_json(profile))


@put(
    ONE,
    guards=[needs("admin:profiles", everywhere=True)],
    opt=says({200: FullProfile, 201: FullProfile}, takes=Definition, refuses=[409]),
)
async def replace_profile(request: HubRequest) -> Response[bytes]:
    """Make a profile be just this; it is made when it is missing. `groups`, when given, replaces who may
    launch it by group.
    """
    slug = _slug(request.segment("profile"))
    body = as_object(await request.body_json())
    if body.get("slug", slug) != slug:
        raise Invalid("slug: must be the one of the address; it never changes")
    offer, new = await request.hub.profiles.put(request.by, slug, body)
    return answer(full_json(request, offer), 201 if new else 200)


@patch(
    ONE,
    guards=[needs("admin:profiles", everywhere=True)],
    opt=says({200: FullProfile}, takes=Definition, refuses=[409]),
)
async def change_profile(request: HubRequest) -> Response[bytes]:
    """Change some keys of a profile, as a JSON merge patch (RFC 7396): null takes a key away."""
    slug = request.segment("profile")
    body = as_object(await request.body_json())
    if body.get("slug", slug) != slug:
        raise Invalid("slug: must be the one of the address; it never changes")
    offer = await request.hub.profiles.get(slug)
    merged = merge(concealed(definition_of(offer.profile)), body)
    changed, _ = await request.hub.profiles.put(request.by, slug, merged)
    return answer(full_json(request, changed))


@delete(
    ONE,
    guards=[needs("admin:profiles", everywhere=True)],
    status_code=200,
    opt=says({204: None}, refuses=[409]),
)
async def withdraw_profile(request: HubRequest) -> Response[bytes]:
    """Offer a profile no longer. Servers that run by it go on, and rolling back brings it back."""
    await request.hub.profiles.withdraw(request.by, request.segment("profile"))
    return empty(204)


def merge(value: Any, change: Any) -> Any:
    """A JSON merge patch applied (RFC 7396, section 2)."""
    if not isinstance(change, Mapping):
        return change
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, inner in change.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), inner)
    return result


def _slug(value: Any) -> str:
    if not isinstance(value, str) or not SLUG.fullmatch(value) or len(value) > 63:
        raise Invalid(
            f"slug: {shown(value)} cannot be one",
            "It has up to 63 lower-case letters, digits and . _ -, with a letter or digit at both ends.",
        )
    return value


ROUTES = [
    list_profiles,
    create_profile,
    get_profile,
    replace_profile,
    change_profile,
    withdraw_profile,
]
