"""What the pages of profiles are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from apphub.pages.admin_contexts import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """A profile in the list."""

    slug: str
    name: str
    icon: str = ""
    version: int = 1
    declared: bool = False
    default: bool = False
    whom: Sequence[str] = ()
    withdrawn: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminProfiles:
    """All profiles."""

    template: ClassVar[str] = "admin_profiles.html"
    frame: Frame
    profiles: Sequence[ProfileRow] = ()
    may_change: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRow:
    """Whom a profile is open to."""

    id: int
    whom: str
    options: str = ""
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """What a profile was."""

    number: int
    created: datetime
    actor: str
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a start would launch."""

    command: str = ""
    environment: Sequence[tuple[str, str]] = ()
    cwd: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminProfile:
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
