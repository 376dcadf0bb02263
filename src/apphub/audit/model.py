"""Who is responsible for a change, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class By:
    """The one who acts: `user:ada`, `service:culler`, `hub` or `settings`."""

    actor: str
    #: On whose behalf, where a program acts for a person.
    behalf: str | None = None
    address: str | None = None
    request_id: str | None = None


#: The hub's own doing.
HUB = By("hub")
#: What the settings file declares.
SETTINGS = By("settings")
