"""The domains of a hub over a database, without doors or loops, and a few people to act.

Nothing here is pretended but the world outside: no server is ever started, for nobody
reconciles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apphub.access.actions import Access
from apphub.access.actor import Actor
from apphub.admission import Admission
from apphub.audit import By
from apphub.db import Database
from apphub.declared import declare
from apphub.kit.secrets import Keys
from apphub.people import People
from apphub.profiles import Profiles
from apphub.servers.actions import Servers
from apphub.servers.views import Views
from apphub.settings import Settings

KEYS = Keys(bytes(32))
BY = By("user:root", address="192.0.2.7", request_id="r1")

#: An open profile that is the default, one for a group, one that takes options.
PROFILES: list[dict[str, Any]] = [
    {"slug": "open", "groups": "everyone", "default": True, "command": ["app"], "extra_options": "allow"},
    {"slug": "closed", "groups": ["analysts"], "command": ["app"]},
    {
        "slug": "choosy",
        "groups": "everyone",
        "command": ["app", "{option:size}"],
        "options": {"size": {"choices": ["small", "big"], "default": "small"}},
    },
]


def settings_of(**values: Any) -> Settings:
    """Settings with one administrator, `root`, and the profiles above."""
    return Settings.model_validate({"login": {"admins": ["root"]}, "profiles": PROFILES, **values})


@dataclass(frozen=True, slots=True)
class Town:
    """What acts, over one database."""

    db: Database
    settings: Settings
    access: Access
    people: People
    profiles: Profiles
    admission: Admission
    servers: Servers
    views: Views

    @classmethod
    async def of(cls, db: Database, **values: Any) -> Town:
        """All domains, with what the settings declare."""
        settings = settings_of(**values)
        await declare(db, settings, settings.login.admins, KEYS)
        people = People(db)
        profiles = Profiles(db)
        await profiles.refresh()
        admission = Admission(db, profiles, settings)
        return cls(
            db=db,
            settings=settings,
            access=Access(db, maximum_life=settings.tokens.maximum_life),
            people=people,
            profiles=profiles,
            admission=admission,
            servers=Servers(db, people, profiles, settings.limits, admission),
            views=Views(db),
        )

    async def actor(self, name: str = "root") -> Actor:
        """Somebody with all of their own rights."""
        found = await self.access.owner(name)
        assert found is not None, name
        return found

    async def add(self, *names: str, groups: Mapping[str, list[str]] | None = None) -> None:
        """Create people, and groups with members."""
        root = await self.actor()
        if names:
            await self.people.create(root, BY, names, admin=False)
        if groups:
            await self.people.create_groups(root, BY, groups)

    async def narrowed(self, name: str, *scopes: str) -> Actor:
        """Somebody who asks with a token of just these scopes."""
        made = await self.access.create_token(
            await self.actor(name), BY, name, scopes=scopes, note="narrow", life=None
        )
        found = await self.access.by_token(made.secret)
        assert found is not None
        return found
