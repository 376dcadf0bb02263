"""Shapes of profiles, of who may launch them, and of what a start would be."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True)]
Slug = Annotated[str, Meta(max_length=63)]
#: The keys of a profile in the settings file, but its name: docs/reference/settings.md.
Definition = Annotated[dict[str, Any], Meta(description="Keys of a profile, as in the settings file.")]


class ProfileModel(TypedDict):
    """Something that may be started."""

    slug: Slug
    display_name: str
    description: str
    icon: str
    default: bool
    memory_limit: int | None
    cpu_limit: float | None
    options: Annotated[dict[str, Any], Meta(description="A JSON Schema (2020-12) of the options.")]
    extra_options: Literal["refuse", "allow"]


class BindingModel(TypedDict):
    """Who may launch a profile: one of user, group and role; perhaps with some options fixed."""

    id: int
    user: str | None
    group: str | None
    role: str | None
    options: dict[str, Any]
    source: Literal["settings", "api"]


class FullProfile(ProfileModel):
    """A profile as those see it who may read all of it."""

    version: int
    source: Literal["settings", "api"]
    withdrawn: Moment | None
    open: Annotated[bool, Meta(description="Whether the caller may launch it.")]
    bindings: list[BindingModel]
    definition: Definition
    notes: Annotated[list[str], Meta(description="What the hub's runtime does not give it.")]


class ListedProfile(ProfileModel):
    """A profile in the list of all."""

    version: int
    source: Literal["settings", "api"]
    withdrawn: Moment | None
    open: bool


class VersionModel(TypedDict):
    """What a profile was at some time."""

    version: int
    current: bool
    created: Moment
    actor: str
    definition: Definition


class RollBack(TypedDict):
    """Which version it is to be like again."""

    version: Annotated[int, Meta(ge=1)]


class Bind(TypedDict, total=False):
    """One of user, group and role; and options that are fixed for whoever comes in this way."""

    user: str | None
    group: str | None
    role: str | None
    options: dict[str, Any] | None


class Validate(TypedDict, total=False):
    """Whose start would be tried, of which server, with which options."""

    user: str | None
    server: str | None
    options: dict[str, Any] | None


class RefusalModel(TypedDict):
    """A rule that is in the way, and what would help."""

    rule: Literal["binding", "options", "runtime", "server", "servers", "hub", "limits"]
    message: str
    advice: str | None


class Verdict(TypedDict):
    """How a start would go."""

    ok: bool
    problems: list[RefusalModel]
    waits: Annotated[str | None, Meta(description="What it would have to wait for; null: nothing.")]
    notes: Annotated[list[str], Meta(description="What the hub's runtime does not give it.")]


class Preview(TypedDict):
    """What would be launched, without secrets."""

    command: list[str]
    environment: dict[str, str]
    cwd: str | None
    run_as: str | None
    memory_limit: int | None
    cpu_limit: float | None
    volumes: list[dict[str, Any]]
    files: list[dict[str, Any]]
    init: list[dict[str, Any]]
    notes: list[str]


class ReadingModel(TypedDict):
    """How the last reading of the profiles' files went."""

    at: Moment
    ok: bool
    problems: list[str]
    notes: list[str]
    changed: list[str]
    needs_restart: list[str]
    files: list[str]


class NewProfile(TypedDict):
    """A profile: its name, and keys as in the settings file."""

    slug: Slug
    groups: NotRequired[list[str] | Literal["everyone"]]
