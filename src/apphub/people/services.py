"""Rows of services."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from apphub.access.actor import Reach
from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.types import json_rows
from apphub.people.model import NoSuchService, Service, Source

v = t.services.c

_ROLES = (
    sa.select(json_rows(t.roles.c.name))
    .join(t.holders, t.holders.c.role_id == t.roles.c.id)
    .where(t.holders.c.service_id == v.id)
    .scalar_subquery()
)
#: What `service_of` reads.
SERVICE = (v.id, v.name, v.admin, v.url, v.info, v.display, v.command, _ROLES.label("roles"), v.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewService:
    """An external service about to be registered."""

    name: str
    admin: bool = False
    url: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    display: bool = True
    api_token: str | None = field(default=None, repr=False)
    oauth_client_id: str | None = None
    oauth_redirect_uri: str | None = None
    oauth_allowed_scopes: tuple[str, ...] = ()
    oauth_no_confirm: bool = False


def service_of(row: Any) -> Service:
    """A row of the columns `SERVICE`, as a value."""
    roles = set(row[7]) | ({"admin"} if row[2] else set())
    return Service(
        id=row[0],
        name=row[1],
        admin=row[2],
        url=row[3],
        info=row[4],
        display=row[5],
        command=tuple(row[6] or ()),
        roles=tuple(sorted(roles)),
        source=Source(row[8]),
    )


async def find_service(tx: Tx, name: str) -> Service | None:
    """The service of this name, if any."""
    row = (await tx.execute(sa.select(*SERVICE).where(v.name == name))).first()
    return None if row is None else service_of(row)


def services_within(reach: Reach) -> list[sa.ColumnElement[bool]]:
    """What services within reach fulfil."""
    return [
        v.name.in_([narrowing.value for narrowing in clause if narrowing.kind == "service"])
        for clause in reach.clauses
    ]


async def list_services(tx: Tx, reach: Reach) -> list[Service]:
    """Services within reach, oldest first."""
    found = sa.select(*SERVICE).where(*services_within(reach)).order_by(v.id)
    return [service_of(row) for row in await tx.execute(found)]


async def insert_service(tx: Tx, new: NewService) -> int:
    """Register a service; its id."""
    statement = sa.insert(t.services).values(
        name=new.name,
        admin=new.admin,
        url=new.url,
        info=new.info,
        display=new.display,
        source=Source.API,
    )
    return int((await tx.execute(statement.returning(v.id))).scalar_one())


async def delete_service(tx: Tx, service_id: int) -> None:
    """Forget a service; its tokens and what it was granted go with it."""
    await tx.execute(sa.delete(t.services).where(v.id == service_id))


async def get_service(tx: Tx, name: str) -> Service:
    """The service of this name; raises `NoSuchService`."""
    service = await find_service(tx, name)
    if service is None:
        raise NoSuchService(name)
    return service
