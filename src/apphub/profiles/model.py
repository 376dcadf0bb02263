"""Which profile a start means, who may start it, and whether its options are in order.

Pure rules over the profiles of the settings. The gate is here and asked in one place, where
a server is started: no door has rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apphub.errors import Forbidden, Invalid, NotFound, shown
from apphub.settings import Option, Profile

#: Key of the options that selects the profile; all others are the profile's own.
PROFILE = "profile"


class NoSuchProfile(NotFound):
    """There is no profile of that name."""


class NotYours(Forbidden):
    """The profile is not open to this person."""


class BadOption(Invalid):
    """An option is unknown, or its value is out of bounds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile with its options, checked and filled with defaults."""

    profile: Profile
    options: Mapping[str, Any]


def may_launch(profile: Profile, groups: Iterable[str]) -> bool:
    """Whether somebody in these groups may start it."""
    return profile.groups == "everyone" or not frozenset(profile.groups).isdisjoint(groups)


class Catalogue:
    """All profiles."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._profiles = {profile.slug: profile for profile in profiles}

    def all(self) -> tuple[Profile, ...]:
        """Every profile, in the order of the settings."""
        return tuple(self._profiles.values())

    def open_to(self, groups: Iterable[str]) -> tuple[Profile, ...]:
        """The profiles that somebody in these groups may start."""
        groups = frozenset(groups)
        return tuple(profile for profile in self.all() if may_launch(profile, groups))

    def find(self, slug: str) -> Profile | None:
        """The profile of this name, if there is one."""
        return self._profiles.get(slug)

    def choose(self, options: Mapping[str, Any], groups: Iterable[str]) -> Choice:
        """What a start with these options means for somebody in these groups.

        Raises `NoSuchProfile`, `NotYours` or `BadOption`, each with advice.
        """
        groups = frozenset(groups)
        profile = self._named(options.get(PROFILE), groups)
        if not may_launch(profile, groups):
            raise NotYours(
                f"The profile {shown(profile.slug)} may be started by members of "
                f"{_words(profile.groups)} only.",
                "Ask an administrator to add you to one of these groups."
                if profile.groups
                else "It is open to nobody yet; ask an administrator.",
            )
        rest = {name: value for name, value in options.items() if name != PROFILE}
        return Choice(profile, check_options(profile, rest))

    def _named(self, slug: object, groups: frozenset[str]) -> Profile:
        if slug is None:
            default = next((profile for profile in self.all() if profile.default), None)
            if default is None:
                raise Invalid("No profile was named and none is the default.", self._advice(groups))
            return default
        if not isinstance(slug, str):
            raise Invalid(f"`profile` is a text, not {shown(slug)}.", self._advice(groups))
        profile = self.find(slug)
        if profile is None:
            raise NoSuchProfile(f"There is no profile {shown(slug)}.", self._advice(groups))
        return profile

    def _advice(self, groups: frozenset[str]) -> str:
        slugs = [profile.slug for profile in self.open_to(groups)]
        return f"Choose one of: {', '.join(slugs)}." if slugs else "No profile is open to this user."


def _words(groups: Iterable[str]) -> str:
    return ", ".join(sorted(groups)) or "no group"


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
    return f"It is a {option.type}."
