"""The rules of a start, one by one: what refuses a start, and what a dry run tells.

`Servers.start` asks the same rules in its transaction; the dry run goes on after a refusal,
so that everything in the way is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from apphub.errors import HubError, Invalid
from apphub.people.model import Person
from apphub.profiles.model import Catalogue, Choice, Offer, check_options, fixed, not_yours
from apphub.servers.model import AlreadyRunning, HubFull, Server, ServerKey, TooManyServers
from apphub.servers.setup import setup_of
from apphub.settings import Limits

Rule = Literal["binding", "options", "runtime", "server", "servers", "hub", "limits"]


class CannotRun(Invalid):
    """The profile is made for an image, and nothing says how to run that here."""


class Refusal(Struct, frozen=True):
    """A rule that is in the way: its name, and what would help."""

    rule: Rule
    message: str
    advice: str | None


class Room(Struct, frozen=True):
    """How much there is already."""

    active: int
    named: int


def check_idle(server: Server | None, key: ServerKey) -> None:
    """Raise unless the server could begin now; one that is on its way up is left to be."""
    if server is not None and server.active and server.pending != "spawn":
        state = "already running" if server.ready else "pending stop"
        spoken = f"{key.user}:{key.name}" if key.name else key.user
        raise AlreadyRunning(f"{spoken} is {state}")


def check_runtime(choice: Choice, key: ServerKey) -> None:
    """Raise unless what the profile describes can be made here, for this server."""
    profile = choice.profile
    if profile.kind == "image":
        image = profile.container.image if profile.container is not None else ""
        raise CannotRun(
            f"The profile {profile.slug} is made for the image {image}, and this hub runs programs.",
            "An administrator can say under `images` of the settings how to run it.",
        )
    if profile.container is not None:
        setup_of(profile.container, key)


def check_room(active: int, limits: Limits) -> None:
    """Raise when the hub runs as many servers as it may."""
    if limits.active_servers and active >= limits.active_servers:
        raise HubFull(limits.active_servers)


def check_names(named: int, limits: Limits, user: str) -> None:
    """Raise when the user has as many named servers as may be."""
    limit = limits.named_servers_per_user
    if limit and named >= limit:
        raise TooManyServers(
            f"User {user} already has the maximum of {limit} named servers.",
            "One must be deleted before a new server can be created.",
        )


def refusals(
    catalogue: Catalogue,
    offer: Offer,
    options: Mapping[str, Any],
    person: Person,
    server: Server | None,
    key: ServerKey,
    room: Room,
    limits: Limits,
) -> Iterator[Refusal]:
    """Every rule that stands against starting this profile with these options now."""
    ways = catalogue.ways_in(offer, person)

    def let_in() -> None:
        if not ways:
            raise not_yours(offer)

    rules: list[tuple[Rule, Callable[[], object]]] = [
        ("binding", let_in),
        ("options", lambda: check_options(offer.profile, fixed(options, ways) if ways else options)),
        ("runtime", lambda: check_runtime(Choice(offer, options), key)),
        ("server", lambda: check_idle(server, key)),
        ("hub", lambda: check_room(room.active, limits)),
    ]
    if key.name and server is None:
        rules.append(("servers", lambda: check_names(room.named, limits, key.user)))
    for rule, ask in rules:
        try:
            ask()
        except HubError as error:
            yield Refusal(rule, error.message, error.advice)
