"""To whom a profile is opened: a group, a role, or one user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from apphub.db import Tx
from apphub.errors import Invalid, shown
from apphub.people.model import Source, parse_group_name, parse_user_name
from apphub.people.store import get_person
from apphub.profiles import store
from apphub.profiles.model import EVERYONE


class Whom(Struct, frozen=True):
    """One of them, by name."""

    kind: Literal["group", "role", "user"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


#: Everybody who has an account.
ALL = Whom("role", EVERYONE)


def parse_whom(body: Mapping[str, Any]) -> Whom:
    """Who is meant by a body with just one of `group`, `role` and `user`. Raises `Invalid`."""
    named = [(kind, body[kind]) for kind in ("group", "role", "user") if body.get(kind) is not None]
    if len(named) != 1:
        raise Invalid("Name one of group, role and user.")
    kind, name = named[0]
    if kind == "group":
        return Whom("group", parse_group_name(name))
    if kind == "user":
        return Whom("user", parse_user_name(name))
    if not isinstance(name, str):
        raise Invalid(f"The name of a role is a text, not {shown(name)}.")
    return Whom("role", name)


def parse_groups(value: Any) -> list[Whom] | None:
    """What `groups` of a profile says: names, or `everyone`; None when it is not there."""
    if value is None:
        return None
    if value == "everyone":
        return [ALL]
    if not isinstance(value, list | tuple):
        raise Invalid("groups: must be a list of names of groups, or `everyone`")
    return [Whom("group", parse_group_name(name)) for name in dict.fromkeys(value)]


async def insert_whom(
    tx: Tx,
    profile_id: int,
    whom: Whom,
    options: Mapping[str, Any] | None,
    source: Source = Source.API,
) -> int:
    """Bind a profile; its id. Raises `Invalid` or `NoSuchUser` for who is not there."""
    if whom.kind == "user":
        person = await get_person(tx, whom.name)
        return await store.insert_binding(tx, profile_id, user_id=person.id, options=options, source=source)
    if whom.kind == "role":
        if not await store.role_exists(tx, whom.name):
            raise Invalid(f"There is no role {shown(whom.name)}.")
        return await store.insert_binding(tx, profile_id, role=whom.name, options=options, source=source)
    return await store.insert_binding(tx, profile_id, group=whom.name, options=options, source=source)
