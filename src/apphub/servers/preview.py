"""What a start would launch, without starting anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from apphub.kit.addresses import Address
from apphub.people.model import Person
from apphub.profiles.model import Offer, check_options
from apphub.runtimes.base import LaunchSpec
from apphub.servers.launch import Surroundings, launch_spec
from apphub.servers.model import Plan, ServerKey
from apphub.servers.setup import setup_of
from apphub.servers.views import default_server

HIDDEN = "<hidden>"
#: Stands for the address that a server is given when it is let in.
SOME_ADDRESS = Address("127.0.0.1", 20000)


def preview_spec(
    offer: Offer, person: Person, name: str, options: Mapping[str, Any], around: Surroundings
) -> LaunchSpec:
    """The launch of somebody's server by this profile, whoever may start it, with its token hidden.

    Raises `BadOption`, or `LaunchFailed` for a profile that cannot be filled in.
    """
    plan = Plan.of(offer.profile, check_options(offer.profile, options), offer.id, offer.version)
    key = ServerKey(person.name, name)
    server = replace(default_server(person), key=key, plan=plan, address=SOME_ADDRESS)
    container = offer.profile.container
    return launch_spec(server, HIDDEN, around, setup_of(container, key) if container is not None else None)
