"""Who is responsible for a change, where it came from, and what may be asked of the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

#: Everything that is noted, in words; what is not here cannot be written down.
ACTIONS: dict[str, str] = {
    "group.create": "A group was made.",
    "group.delete": "A group was deleted.",
    "group.members.add": "People were made members of a group.",
    "group.members.remove": "People were taken out of a group.",
    "group.properties": "The properties of a group were replaced.",
    "hub.shutdown": "The hub was told to end.",
    "job.cancel": "A bulk action was called off.",
    "job.create": "A bulk action was begun; each of its steps has an entry of its own.",
    "login": "Somebody proved who they are by a password.",
    "login.fail": "A sign-in failed: the first, second, fourth, eighth ... of an account or address.",
    "oauth.grant": "Somebody let an app act in their name.",
    "oauth.token": "An app got its token.",
    "profile.bind": "A profile was opened to somebody.",
    "profile.change": "A profile got a new version.",
    "profile.create": "A profile was made.",
    "profile.open": "The settings changed whom a profile is open to.",
    "profile.unbind": "A profile was closed to somebody.",
    "profile.withdraw": "A profile is offered no longer.",
    "server.change": "A server got another name or other options.",
    "server.create": "A server was made.",
    "server.delete": "A server was deleted; for a while it can be brought back.",
    "server.undelete": "A server that was deleted was brought back.",
    "server.open": "Somebody opened a server.",
    "server.remove": "A server was removed.",
    "server.start": "A server was asked to start.",
    "server.stop": "A server was asked to stop.",
    "service.create": "A service was registered.",
    "service.delete": "A service was deleted.",
    "session.end": "Somebody signed out.",
    "session.start": "Somebody signed in with a browser.",
    "settings.apply": "The settings changed something when the hub started.",
    "settings.reload": "Somebody had the profiles of the settings read again.",
    "share.accept": "Somebody traded a code for a share.",
    "share.code": "A code that opens a server was made.",
    "share.code.revoke": "Codes that open a server were ended.",
    "share.grant": "A server was shared.",
    "share.revoke": "A share was taken back.",
    "token.create": "A token was made.",
    "token.revoke": "A token was revoked.",
    "user.admin": "Somebody was made an administrator, or is none any longer.",
    "user.create": "A user was made.",
    "user.delete": "A user was deleted.",
    "user.password": "Somebody got a password.",
    "user.rename": "A user got another name.",
}


def actions_of(text: str) -> list[str]:
    """The actions of this name or below it: `group` stands for `group.create` and the like."""
    return [name for name in ACTIONS if name == text or name.startswith(f"{text}.")]


class By(Struct, frozen=True):
    """The one who acts: `user:ada`, `service:culler`, `hub` or `settings`. (A struct: every request makes one.)"""

    actor: str
    #: On whose behalf, where a program acts for a person: the server or app whose token it has.
    behalf: str | None = None
    address: str | None = None
    request_id: str | None = None


#: The hub's own doing.
HUB = By("hub")
#: What the settings file declares.
SETTINGS = By("settings")


class Entry(Struct, frozen=True):
    """One line of the log."""

    id: int
    at: datetime
    actor: str
    behalf: str | None
    action: str
    #: `user:ada`, `group:analysts`, `server:ada/lab`, `hub`.
    target: str
    before: Any
    after: Any
    address: str | None
    request_id: str | None


class Search(Struct, frozen=True, kw_only=True):
    """What to look for; what is left out matches everything."""

    #: Whoever did it, or on whose behalf it was done.
    actor: str | None = None
    target: str | None = None
    #: An action, or the part of its name before a dot.
    action: str | None = None
    #: An action of these that does not count.
    without: str | None = None
    #: Moments: the first that counts, and the first that does not.
    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None
