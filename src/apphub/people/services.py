"""Rows of services."""

from __future__ import annotations

import sqlalchemy as sa

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
_SERVICE = sa.select(v.id, v.name, v.admin, v.url, v.info, v.display, _ROLES.label("roles"), v.source)


async def get_service(tx: Tx, name: str) -> Service:
    """The service of this name; raises `NoSuchService`."""
    row = (await tx.execute(_SERVICE.where(v.name == name))).first()
    if row is None:
        raise NoSuchService(name)
    roles = set(row[6]) | ({"admin"} if row[2] else set())
    return Service(row[0], row[1], row[2], row[3], row[4], row[5], tuple(sorted(roles)), Source(row[7]))
