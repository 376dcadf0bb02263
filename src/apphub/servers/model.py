"""A server: what people want of it, and what it is.

People's actions write `wanted` and `attempt`; the reconciler writes `phase`,
`phase_attempt` and `reason`; the publisher of routes writes `routed_attempt`. What the API
calls ready, pending and stopped follows from these and is never stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from apphub.errors import Conflict, Invalid, LimitReached, NotFound, Unavailable, shown
from apphub.kit.addresses import Address
from apphub.kit.names import is_display_name, is_server_name
from apphub.runtimes.base import Ref
from apphub.settings import Profile


class Wanted(StrEnum):
    """What people want."""

    RUNNING = "running"
    STOPPED = "stopped"
    REMOVED = "removed"


class Phase(StrEnum):
    """What is."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


#: Phases in which a runtime object may exist.
LIVE = (Phase.STARTING, Phase.READY, Phase.STOPPING)


class ServerKey(NamedTuple):
    """Whose server, and its name (empty for the default one)."""

    user: str
    name: str

    def __str__(self) -> str:
        return f"{self.user}/{self.name}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is started with: the profile as it was when it was asked for, and the options.

    Kept with the row, so that a launch needs nothing else and a change of the settings
    changes only what is started later. No secrets.
    """

    profile: str
    title: str
    kind: str
    command: tuple[str, ...]
    environment: dict[str, str]
    environment_path: str | None
    options: dict[str, Any]
    options_variable: str | None
    default_url: str
    working_dir: str
    memory_limit: int | None
    memory_guarantee: int | None
    cpu_limit: float | None
    cpu_guarantee: float | None
    start_timeout: float | None
    ready_path: str
    #: Whether the edge asks visitors who they are.
    guarded: bool = False
    strip_prefix: bool = False
    #: Whether it is started for a host of its own: to serve at `/`.
    own_domain: bool = False
    user_header: str = ""
    groups_header: str = ""
    #: Which version of which profile it is, and whether that says what to set up.
    profile_id: int = 0
    profile_version: int = 0
    set_up: bool = False
    #: Seconds without use after which it is stopped.
    idle_timeout: float | None = None

    @classmethod
    def of(
        cls,
        profile: Profile,
        options: Mapping[str, Any],
        profile_id: int = 0,
        version: int = 0,
        *,
        app_hosts: bool = False,
    ) -> Plan:
        """The plan for one start of a profile; with `app_hosts` apps may have hosts of their own."""
        timeout, idle = profile.start_timeout, profile.idle_timeout
        return cls(
            profile=profile.slug,
            title=profile.display_name or profile.slug,
            kind=profile.kind,
            command=profile.command,
            environment=profile.environment,
            environment_path=str(profile.environment_path) if profile.environment_path else None,
            options=dict(options),
            options_variable=profile.options_variable,
            default_url=profile.default_url,
            working_dir=profile.working_dir,
            memory_limit=profile.memory_limit,
            memory_guarantee=profile.memory_guarantee,
            cpu_limit=profile.cpu_limit,
            cpu_guarantee=profile.cpu_guarantee,
            start_timeout=timeout.total_seconds() if timeout is not None else None,
            ready_path=profile.ready_path,
            guarded=profile.guarded,
            strip_prefix=profile.strip_prefix,
            own_domain=app_hosts and profile.guarded and profile.own_domain,
            user_header=profile.identity_headers.user or "",
            groups_header=profile.identity_headers.groups or "",
            profile_id=profile_id,
            profile_version=version,
            set_up=profile.container is not None,
            idle_timeout=idle.total_seconds() if idle else None,
        )


class Server(Struct, frozen=True):
    """One row."""

    id: int
    user_id: int
    key: ServerKey
    display_name: str
    created: datetime
    wanted: Wanted
    attempt: int
    options: dict[str, Any] | None
    plan: Plan | None
    requested: datetime | None
    phase: Phase
    phase_attempt: int
    reason: str | None
    admitted: datetime | None
    place: str | None
    address: Address | None
    routed_attempt: int | None
    last_activity: datetime | None
    #: When it will be forgotten, unless that is taken back.
    removal: datetime | None = None

    @property
    def label(self) -> str:
        """For the audit log."""
        return f"server:{self.key}"

    @property
    def ref(self) -> Ref:
        """The runtime object that the phase speaks of."""
        return Ref(self.id, self.phase_attempt)

    @property
    def asked_again(self) -> bool:
        """Whether a start is wanted that has not begun."""
        return self.wanted is Wanted.RUNNING and self.attempt > self.phase_attempt

    @property
    def ready(self) -> bool:
        """Whether it can be used: it answers, and every edge knows the way."""
        return (
            self.wanted is Wanted.RUNNING
            and self.phase is Phase.READY
            and self.phase_attempt == self.attempt
            and self.routed_attempt == self.attempt
        )

    @property
    def pending(self) -> Literal["spawn", "stop"] | None:
        """What it is on the way to."""
        if self.phase is Phase.STOPPING or (
            self.phase in (Phase.STARTING, Phase.READY) and self.wanted is not Wanted.RUNNING
        ):
            return "stop"
        if self.asked_again or (
            self.phase in (Phase.STARTING, Phase.READY) and not self.ready and self.wanted is Wanted.RUNNING
        ):
            return "spawn"
        if self.routed_attempt is not None and not self.ready:
            return "stop"  # down already, but some edge may still send requests there
        if self.place is not None and self.phase not in LIVE:
            return "stop"  # given up while it was being launched: what of it runs is looked for
        return None

    @property
    def waits(self) -> bool:
        """Whether it was asked for and is not let in yet."""
        return self.asked_again and self.place is None

    @property
    def active(self) -> bool:
        """Whether it runs or is on the way up or down."""
        return self.ready or self.pending is not None

    @property
    def failed(self) -> bool:
        """Whether its last attempt ended by itself."""
        return self.phase is Phase.FAILED and self.pending is None

    @property
    def shown_options(self) -> dict[str, Any] | None:
        """`user_options` as the API shows them."""
        if self.options is None and (self.active or self.attempt == 0):
            return {}
        return self.options


class Ask(Struct, frozen=True):
    """The body of a start or a change; None where nothing was said."""

    options: Mapping[str, Any] | None = None
    display_name: str | None = None


#: The first that happens in every attempt.
REQUESTED = "Server requested"


class Progress(Struct, frozen=True):
    """Something that happened during an attempt."""

    id: int
    attempt: int
    at: datetime
    progress: int
    message: str


class NoSuchServer(NotFound):
    """The user has no server of that name."""

    def __init__(self, key: ServerKey) -> None:
        super().__init__(f"{key.user} has no server named {shown(key.name)}")


class ServerExists(Conflict):
    """The name is taken."""


class AlreadyRunning(Invalid):
    """It runs, or is on its way to a state from which it cannot be started."""


class TooManyServers(Invalid):
    """The user has as many named servers as may be."""


class HubFull(LimitReached):
    """The hub runs as many servers as may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This hub may run {limit} servers and does.",
            timedelta(seconds=60),
            "Try again later, or stop a server that you do not need.",
        )


class StartFailed(Unavailable):
    """The server did not start; the message says why."""


def parse_server_name(text: object) -> str:
    """The name of a named server; raises `Invalid` in words."""
    if not isinstance(text, str) or not is_server_name(text):
        raise Invalid(
            f"Invalid server_name: {shown(text)}",
            "A name has up to 30 of the characters a-z, 0-9 and -, begins with a letter, "
            "and has no - at its end or twice in a row.",
        )
    return text


def parse_display_name(text: object) -> str:
    """What a server is called on pages; raises `Invalid` in words."""
    if not isinstance(text, str):
        raise Invalid("display_name must be a string")
    if not is_display_name(text):
        raise Invalid(
            f"Invalid display_name: {shown(text)}",
            "It has up to 255 printable characters and single spaces between words.",
        )
    return text
