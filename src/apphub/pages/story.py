"""The story of one server for its owner: what happened, who did it, and who opened it.

What the hub itself saw stands in the rows of the server, what people and programs asked for in the
audit log. Both are told in one line of time.
"""

from __future__ import annotations

from collections.abc import Sequence

from apphub.access.actor import Actor
from apphub.audit.model import HUB, Entry
from apphub.pages.details import Event, Visit
from apphub.pages.locale import gettext
from apphub.pages.said import say
from apphub.pages.sections import everywhere
from apphub.servers.model import REQUESTED, Progress, ServerKey


def may_know(actor: Actor, key: ServerKey) -> bool:
    """Whether somebody may know who did what to a server: its owner, and who may read the audit log."""
    return (actor.user_id is not None and actor.name == key.user) or everywhere(actor, "read:audit")


def told(language: str, story: Sequence[Progress], entries: Sequence[Entry]) -> list[Event]:
    """What happened, the newest first; a start that the log tells with a name is told once."""
    asked = [one for one in entries if one.actor != HUB.actor]  # what the hub does is in the story
    named = {one.after["attempt"] for one in asked if one.action == "server.start"}
    lines = [
        (one.at, Event(at=one.at, text=say(language, one.message)))
        for one in story
        if not (one.message == REQUESTED and one.attempt in named)
    ]
    lines += [
        (one.at, Event(at=one.at, text=_deed(language, one), actor=who(language, one))) for one in asked
    ]
    return [event for _, event in sorted(lines, key=lambda line: line[0], reverse=True)]


def opened(language: str, entries: Sequence[Entry]) -> list[Visit]:
    """Who opened it and when, the last first."""
    return [Visit(at=one.at, who=who(language, one)) for one in entries]


def who(language: str, entry: Entry) -> str:
    """The one who did it, and through which program if they did not do it themselves."""
    person = _named(language, entry.behalf or entry.actor)
    if entry.behalf is None:
        return person
    return gettext(language, "%(person)s, through %(program)s") % {
        "person": person,
        "program": _named(language, entry.actor),
    }


def _named(language: str, label: str) -> str:
    kind, _, name = label.partition(":")
    match kind:
        case "user":
            return name
        case "service" | "client":
            return gettext(language, "the service %(name)s") % {"name": name.removeprefix("service-")}
        case "server":
            return gettext(language, "the server %(name)s") % {"name": name}
        case _:
            return label


def _deed(language: str, entry: Entry) -> str:
    match entry.action:
        case "server.create":
            return gettext(language, "Server made")
        case "server.start" if entry.after.get("again"):
            return gettext(language, "Restart requested")
        case "server.start":
            return say(language, REQUESTED)
        case "server.stop" | "server.remove":
            return gettext(language, "Stop requested")
        case "server.delete":
            return gettext(language, "Server deleted")
        case "server.undelete":
            return gettext(language, "Deletion taken back")
        case _:
            return gettext(language, "Name or options changed")
