"""What the pages of profiles are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from apphub.pages.admin_contexts import Frame


class ProfileRow(Struct, frozen=True, kw_only=True):
    """A profile in the list."""

    slug: str
    name: str
    icon: str = ""
    version: int = 1
    declared: bool = False
    default: bool = False
    whom: Sequence[str] = ()
    withdrawn: datetime | None = None


class AdminProfiles(Struct, frozen=True, kw_only=True):
    """All profiles."""

    template: ClassVar[str] = "admin_profiles.html"
    frame: Frame
    profiles: Sequence[ProfileRow] = ()
    may_change: bool = False


class BindingRow(Struct, frozen=True, kw_only=True):
    """Whom a profile is open to."""

    id: int
    whom: str
    options: str = ""
    declared: bool = False


class VersionRow(Struct, frozen=True, kw_only=True):
    """What a profile was."""

    number: int
    created: datetime
    actor: str
    current: bool = False


class Preview(Struct, frozen=True, kw_only=True):
    """What a start would launch."""

    command: str = ""
    environment: Sequence[tuple[str, str]] = ()
    cwd: str = ""
    notes: Sequence[str] = ()


class AdminProfile(Struct, frozen=True, kw_only=True):
    """The editor of one profile; `slug` (of a new one) and `text` are sent to its path."""

    template: ClassVar[str] = "admin_profile.html"
    frame: Frame
    #: Empty: a new one.
    slug: str = ""
    name: str = ""
    icon: str = ""
    version: int = 0
    declared: bool = False
    withdrawn: bool = False
    may_change: bool = False
    #: YAML, as in the settings file.
    text: str = ""
    #: Whether the text has been looked at, and what is wrong with it.
    checked: bool = False
    problems: Sequence[str] = ()
    preview: Preview | None = None
    bindings: Sequence[BindingRow] = ()
    versions: Sequence[VersionRow] = ()
    whom: str = ""
    error: str = ""
