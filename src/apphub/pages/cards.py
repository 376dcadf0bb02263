"""Profiles and servers as pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apphub.access.grants import Target
from apphub.kit.urls import Urls
from apphub.pages.answers import language
from apphub.pages.contexts import Card, Choice, Guest, OptionField, ServerRow, State
from apphub.pages.locale import gettext
from apphub.pages.said import say
from apphub.reconcile.idle import unused_at
from apphub.servers.launch import first_page
from apphub.servers.model import Server
from apphub.settings import Option, Profile
from apphub.web.request import HubRequest


def card(
    profile: Profile,
    tongue: str,
    chosen: Mapping[str, Any] | None = None,
    *,
    is_open: bool = True,
    ask: str = "",
) -> Card:
    """A profile, with the reason why it is locked for somebody whom it is not open to."""
    return Card(
        slug=profile.slug,
        name=profile.display_name or profile.slug,
        description=profile.description,
        icon=profile.icon,
        memory_bytes=profile.memory_limit,
        cpus=profile.cpu_limit,
        options=[field(name, option, (chosen or {}).get(name)) for name, option in profile.options.items()],
        locked="" if is_open else _locked(profile, tongue),
        ask="" if is_open else ask,
    )


def _locked(profile: Profile, tongue: str) -> str:
    if not profile.groups:
        return gettext(tongue, "Not open to anybody yet.")
    return gettext(tongue, "For members of %(groups)s.") % {"groups": ", ".join(sorted(profile.groups))}


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


def reason_of(server: Server) -> str:
    """Why it ended though its owner did not stop it, as one sentence; empty when it runs, or they did."""
    return (server.reason or "").partition("\n")[0] if not server.active else ""


def target_of(server: Server, groups: frozenset[str] = frozenset()) -> Target:
    """The server, for questions of reach; `groups` are its owner's."""
    return Target(user=server.key.user, groups=groups, server=str(server.key))


def _address(server: Server, urls: Urls, origin: str) -> str:
    """The address to copy: at the app's own host where it has one, and runs there."""
    if urls.apps is not None and server.ready and server.plan is not None and server.plan.own_domain:
        return f"{urls.apps.origin(*server.key, server.id)}/"
    return f"{origin}{urls.server(*server.key)}"


def server_row(
    request: HubRequest,
    server: Server,
    *,
    groups: frozenset[str] = frozenset(),
    listed: bool = True,
    guests: Sequence[Guest] | None = None,
) -> ServerRow:
    """One server in a list, with what whoever asks may do to it; `groups` are its owner's.

    A list that shows what exists (`listed`) lets a server be removed; one of servers that others
    share does not. One that says who the `guests` are lets it be shared.
    """
    hub, actor = request.hub, request.actor
    plan, target = server.plan, target_of(server, groups)
    profile = hub.catalogue.find(plan.profile) if plan is not None else None
    may_stop = actor.may("delete:servers", target)
    return ServerRow(
        user=server.key.user,
        name=server.key.name,
        display_name=server.display_name,
        state=state_of(server),
        reason=say(language(request), reason_of(server)),
        profile=plan.title if plan is not None else "",
        icon=profile.icon if profile is not None else "",
        started=server.requested if server.active else None,
        last_activity=server.last_activity,
        url=first_page(server, hub.urls) if actor.may("access:servers", target) else "",
        address=_address(server, hub.urls, request.origin),
        idle_end=unused_at(server),
        removal=server.removal,
        details=actor.may("read:servers", target),
        removable=listed and may_stop and bool(server.key.name),
        may_start=actor.may("start:servers", target),
        may_stop=may_stop,
        guests=guests if actor.may("shares", target) else None,
    )
