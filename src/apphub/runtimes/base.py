"""What a runtime is: five verbs over objects named by (server id, attempt).

Ids never come back and attempts only rise, so a name never means two things: renaming or
re-creating a server touches nothing that runs, and `create` for a name that exists returns
what is there. Drivers decide nothing: they do what they are told and say what they see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from apphub.errors import HubError
from apphub.kit.addresses import Address
from apphub.runtimes.setup import Setup


class Ref(NamedTuple):
    """The name of a runtime object."""

    server_id: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.server_id}-{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """Everything a driver needs to start one attempt of one server; runtime-neutral and immutable."""

    ref: Ref
    #: Program and arguments, never through a shell; no secret in it (argv is public).
    command: tuple[str, ...]
    #: The whole environment, secrets included. Never logged.
    env: Mapping[str, str] = field(repr=False)
    #: Where it is asked to listen; None for a program that has its own address.
    address: Address | None
    #: System account to run as; None: the hub's own.
    run_as: str | None = None
    #: Working folder; None: the account's home, or a folder of the server's own.
    cwd: str | None = None
    #: A folder that is made where it is missing: the home of a server without an account of its own.
    home: str | None = None
    memory_bytes: int | None = None
    cpus: float | None = None
    #: What has to be there before it begins.
    setup: Setup | None = field(default=None, repr=False)


class Life(StrEnum):
    """Whether a runtime object is alive."""

    RUNNING = "running"
    #: It ended and its remains (exit status, log) can still be read.
    EXITED = "exited"
    #: Nothing of that name is known.
    ABSENT = "absent"


class Sight(Struct, frozen=True):
    """What a driver sees of one object now."""

    life: Life
    address: Address | None = None
    #: Exit status, negative for a signal; None when unknown (a process that was not our child).
    exit_code: int | None = None
    #: What a person should know, e.g. "killed by signal 9".
    detail: str = ""


class LaunchFailed(HubError):
    """The object could not be created, and trying the same again will not help."""


class AddressTaken(HubError):
    """Somebody else listens at the address: choose another one and try again."""


class Runtime(Protocol):
    """The five verbs. All are idempotent; none waits for a server to be ready."""

    #: Which host's (or cluster's) objects this driver sees; rows carry it.
    place: str
    #: Whether `on_exit` tells of every end, so that running objects need not be polled.
    watches: bool

    @property
    def keeps(self) -> frozenset[str]:
        """The limits that servers are held to here, and not only told: `memory`, `cpu`."""
        ...

    async def create(self, spec: LaunchSpec) -> Sight:
        """Start it unless it exists. Raises `LaunchFailed` or `AddressTaken`."""
        ...

    async def observe(self, ref: Ref) -> Sight:
        """Look at one object."""
        ...

    async def delete(self, ref: Ref, *, grace: float) -> Sight:
        """Ask it to end; by force after `grace` seconds. Returns what is left (ABSENT or EXITED when done).

        May return RUNNING when it has not ended yet; asking again is safe.
        """
        ...

    async def list(self) -> Mapping[Ref, Sight]:
        """All objects of this hub at this place, also those whose creation was never recorded."""
        ...

    async def logs(self, ref: Ref, *, tail: int) -> str:
        """The last `tail` bytes of its output, decoded with replacement; empty when there is none."""
        ...

    def on_exit(self, callback: Callable[[Ref], None]) -> None:
        """Call `callback` (on the event loop) as soon as an object ends, where the place can tell."""
        ...

    async def forget(self, server_id: int) -> None:
        """Delete what is kept of a server that will never run again, such as its logs."""
        ...

    async def close(self) -> None:
        """Let go of everything held in this process; leave the objects running."""
        ...
