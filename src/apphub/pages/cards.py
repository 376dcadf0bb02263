"""Profiles and servers as pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apphub.kit.urls import Urls
from apphub.pages.contexts import Card, Choice, OptionField, ServerRow, State
from apphub.profiles.model import may_launch
from apphub.servers.launch import first_page
from apphub.servers.model import Server
from apphub.settings import Option, Profile


def card(profile: Profile, groups: frozenset[str], chosen: Mapping[str, Any] | None = None) -> Card:
    """A profile, with the reason why it is locked for somebody in these groups."""
    locked = ""
    if not may_launch(profile, groups):
        names = ", ".join(sorted(profile.groups))
        locked = f"For members of {names}." if names else "Not open to anybody yet."
    return Card(
        slug=profile.slug,
        name=profile.display_name or profile.slug,
        description=profile.description,
        icon=profile.icon,
        memory_bytes=profile.memory_limit,
        cpus=profile.cpu_limit,
        options=[field(name, option, (chosen or {}).get(name)) for name, option in profile.options.items()],
        locked=locked,
    )


def field(name: str, option: Option, chosen: Any = None) -> OptionField:
    """One option as a field, filled with what was chosen or with the default."""
    value = option.default if chosen is None else chosen
    kind = {"boolean": "checkbox", "integer": "number", "number": "number"}.get(option.type, "text")
    return OptionField(
        name=name,
        title=option.title,
        kind="select" if option.choices is not None else kind,
        description=option.description,
        value="" if value is None else str(value),
        checked=value is True,
        choices=[Choice(str(one), str(one)) for one in option.choices or ()],
        minimum=option.minimum,
        maximum=option.maximum,
        step=1 if option.type == "integer" else None,
        max_length=option.max_length,
        required=option.default is None,
    )


def state_of(server: Server) -> State:
    """A server's state as one word."""
    if server.ready:
        return State.READY
    if server.pending == "spawn":
        return State.STARTING
    if server.pending == "stop":
        return State.STOPPING
    return State.FAILED if server.failed else State.STOPPED


def server_row(server: Server, urls: Urls, icons: Mapping[str, str], *, own: bool = True) -> ServerRow:
    """One server in a list."""
    plan = server.plan
    return ServerRow(
        user=server.key.user,
        name=server.key.name,
        display_name=server.display_name,
        state=state_of(server),
        reason=(server.reason or "").partition("\n")[0] if server.failed else "",
        profile=plan.title if plan is not None else "",
        icon=icons.get(plan.profile, "") if plan is not None else "",
        started=server.requested if server.active else None,
        last_activity=server.last_activity,
        url=first_page(server, urls),
        removable=own and bool(server.key.name),
        may_control=own,
    )
