"""Which profile a start means, who may start it, and whether its options are in order.

Pure rules over profiles as they are now. The gate is `Catalogue.launchable`, asked where a
server is started and where it is shared: no door has rules of its own. Who may launch a profile is said by
bindings: to a group, a role or one user, perhaps with some options fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from apphub.errors import Forbidden, Invalid, NotFound, shown
from apphub.people.model import Source
from apphub.settings import Option, Profile

#: Key of the options that selects the profile; all others are the profile's own.
PROFILE = "profile"
#: Role that every user holds: bound to it, a profile is open to everyone.
EVERYONE = "user"
ADMIN = "admin"


class NoSuchProfile(NotFound):
    """There is no profile of that name."""


class NotYours(Forbidden):
    """The profile is not open to this person."""


class BadOption(Invalid):
    """An option is unknown, or its value is out of bounds."""


class Starter(Protocol):
    """Somebody whose servers may be started: a person, or the actor that is one."""

    @property
    def id(self) -> int:
        """Which user."""
        ...

    @property
    def admin(self) -> bool:
        """Whether it is an administrator."""
        ...

    @property
    def groups(self) -> Collection[str]:
        """Groups the user is in now."""
        ...


class Nobody(Struct, frozen=True):
    """For callers that are no users: what is open to everyone."""

    id: int = 0
    admin: bool = False
    groups: frozenset[str] = frozenset()


class Binding(Struct, frozen=True):
    """One way to be let in; exactly one of user, group and role is set."""

    id: int
    user_id: int | None
    user: str | None
    group: str | None
    role: str | None
    #: Options that are fixed for who comes in this way.
    options: Mapping[str, Any] | None
    source: Source

    @property
    def whom(self) -> str:
        """As the API and the audit log name it: `group:analysts`."""
        if self.group is not None:
            return f"group:{self.group}"
        return f"role:{self.role}" if self.role is not None else f"user:{self.user}"


class Offer(Struct, frozen=True):
    """A profile as it is now, and who may launch it."""

    id: int
    version: int
    #: Its `groups` are those of the bindings.
    profile: Profile
    bindings: tuple[Binding, ...]
    source: Source
    withdrawn: datetime | None = None

    @property
    def slug(self) -> str:
        """Its name."""
        return self.profile.slug

    @property
    def label(self) -> str:
        """For the audit log."""
        return f"profile:{self.profile.slug}"


class Holders(Struct, frozen=True):
    """Who holds a role beside those whom it follows by itself."""

    users: frozenset[int] = frozenset()
    groups: frozenset[str] = frozenset()


class Choice(Struct, frozen=True):
    """A profile with its options, checked and filled with defaults."""

    offer: Offer
    options: Mapping[str, Any]

    @property
    def profile(self) -> Profile:
        """What is started."""
        return self.offer.profile


class Catalogue(Struct, frozen=True):
    """All profiles on offer at one moment, and the rules of who may start what."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    holders: Mapping[str, Holders] = field(default_factory=dict)

    def all(self) -> tuple[Profile, ...]:
        """Every profile, in the order they are shown."""
        return tuple(offer.profile for offer in self.offers.values())

    def open_to(self, who: Starter) -> tuple[Profile, ...]:
        """The profiles that somebody may start, with fixed options as the only choice."""
        return tuple(
            narrowed(offer.profile, ways)
            for offer in self.offers.values()
            if (ways := self.ways_in(offer, who))
        )

    def find(self, slug: str) -> Profile | None:
        """The profile of this name, if there is one."""
        offer = self.offers.get(slug)
        return None if offer is None else offer.profile

    def is_open(self, slug: str, who: Starter) -> bool:
        """Whether somebody may start the profile of this name."""
        offer = self.offers.get(slug)
        return offer is not None and bool(self.ways_in(offer, who))

    def ways_in(self, offer: Offer, who: Starter) -> tuple[Binding, ...]:
        """The bindings that let somebody in."""
        return tuple(binding for binding in offer.bindings if self._lets_in(binding, who))

    def choose(self, options: Mapping[str, Any], who: Starter) -> Choice:
        """What a start with these options means for somebody.

        Raises `NoSuchProfile`, `NotYours` or `BadOption`, each with advice.
        """
        offer = self.launchable(options.get(PROFILE), who)
        rest = {name: value for name, value in options.items() if name != PROFILE}
        return Choice(offer, check_options(offer.profile, fixed(rest, self.ways_in(offer, who))))

    def launchable(self, slug: object, who: Starter) -> Offer:
        """The profile of this name (None: the default one), if it is open to somebody: the gate.

        Raises `NoSuchProfile` or `NotYours`, each with advice.
        """
        offer = self._named(slug, who)
        if not self.ways_in(offer, who):
            raise not_yours(offer)
        return offer

    def _lets_in(self, binding: Binding, who: Starter) -> bool:
        if binding.user_id is not None:
            return who.id == binding.user_id
        if binding.group is not None:
            return binding.group in who.groups
        if binding.role == EVERYONE or (binding.role == ADMIN and who.admin):
            return True
        held = self.holders.get(binding.role or "", Holders())
        return who.id in held.users or not held.groups.isdisjoint(who.groups)

    def _named(self, slug: object, who: Starter) -> Offer:
        if slug is None:
            default = next((offer for offer in self.offers.values() if offer.profile.default), None)
            if default is None:
                raise Invalid("No profile was named and none is the default.", self._advice(who))
            return default
        if not isinstance(slug, str):
            raise Invalid(f"`profile` is a text, not {shown(slug)}.", self._advice(who))
        offer = self.offers.get(slug)
        if offer is None:
            raise NoSuchProfile(f"There is no profile {shown(slug)}.", self._advice(who))
        return offer

    def _advice(self, who: Starter) -> str:
        slugs = [profile.slug for profile in self.open_to(who)]
        return f"Choose one of: {', '.join(slugs)}." if slugs else "No profile is open to this user."


def not_yours(offer: Offer) -> NotYours:
    """Why somebody may not start a profile, and whom to ask."""
    groups = sorted(binding.group for binding in offer.bindings if binding.group is not None)
    roles = sorted(binding.role for binding in offer.bindings if binding.role is not None)
    whom = [f"members of {', '.join(groups)}"] if groups else []
    whom += [f"holders of the role {', '.join(roles)}"] if roles else []
    return NotYours(
        f"The profile {shown(offer.slug)} may be started by {' and by '.join(whom) or 'nobody'}"
        f"{' only' if whom else ''}.",
        "Ask an administrator to add you to one of these groups."
        if groups
        else "Ask an administrator to open it to you.",
    )


def fixed(options: Mapping[str, Any], ways: Iterable[Binding]) -> dict[str, Any]:
    """The options with those that the way in fixes; a way that fixes nothing is taken first."""
    ways = sorted(ways, key=lambda way: bool(way.options))
    for way in ways:
        pins = way.options or {}
        if all(options.get(name, value) == value for name, value in pins.items()):
            return {**options, **pins}
    name, value = next(
        (name, value) for name, value in (ways[0].options or {}).items() if options.get(name, value) != value
    )
    raise BadOption(
        f"The option {name} cannot be {shown(options[name])} for this user.", f"It is fixed to {value}."
    )


def narrowed(profile: Profile, ways: Collection[Binding]) -> Profile:
    """The profile as somebody is shown it who comes in these ways: what all of them fix is no choice."""
    pins = [way.options or {} for way in ways]
    common = [name for name in profile.options if all(name in one for one in pins)]
    if not common:
        return profile
    options = dict(profile.options)
    for name in common:
        values = tuple(dict.fromkeys(one[name] for one in pins))
        update: dict[str, Any] = {"default": values[0]}
        if options[name].type != "boolean":
            update["choices"] = values
        options[name] = options[name].model_copy(update=update)
    return profile.model_copy(update={"options": options})


def with_groups(offer: Offer) -> Offer:
    """The offer whose profile names the groups that its bindings open it to."""
    everyone = any(binding.role == EVERYONE for binding in offer.bindings)
    groups = tuple(binding.group for binding in offer.bindings if binding.group is not None)
    profile = offer.profile.model_copy(update={"groups": "everyone" if everyone else groups})
    return replace(offer, profile=profile)


def check_options(profile: Profile, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with defaults filled in; raises `BadOption` for unknown or unfit ones."""
    unknown = sorted(set(options) - set(profile.options))
    if unknown and profile.extra_options == "refuse":
        known = ", ".join(profile.options) or "none"
        raise BadOption(
            f"The profile {profile.slug} has no option {', '.join(map(shown, unknown))}.",
            f"Its options: {known}.",
        )
    values = {name: options[name] for name in unknown}
    for name, option in profile.options.items():
        values[name] = check_option(name, option, options.get(name, option.default))
    return values


def check_option(name: str, option: Option, value: Any) -> Any:
    """The value, if it fits the option; raises `BadOption`."""
    if value is None:
        raise BadOption(f"The option {name} is missing.", _fitting(option))
    if (misfit := option.misfit(value)) is not None:
        raise BadOption(f"The option {name} cannot be {shown(value)}: it {misfit}.")
    return value


def _fitting(option: Option) -> str:
    if option.choices is not None:
        return f"Choices: {', '.join(map(str, option.choices))}."
    article = "an" if option.type == "integer" else "a"
    return f"It is {article} {option.type}."
