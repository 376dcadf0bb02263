"""Rows that the settings file declares, and the marks that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.access.model import NewToken
from apphub.access.roles import BUILT_IN
from apphub.access.store import insert_token
from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.upsert import upsert
from apphub.kit import clock
from apphub.kit.secrets import Keys
from apphub.oauth.store import upsert_service_client
from apphub.people import groups as groups_store
from apphub.people import store as people_store
from apphub.people.model import Source
from apphub.services.launch import service_token
from apphub.settings import Role, Service, Settings

MARK = Source.SETTINGS

_DECLARED_MEMBERS = (
    sa.select(t.groups.c.name, t.users.c.name)
    .join(t.memberships, t.memberships.c.group_id == t.groups.c.id)
    .join(t.users, t.users.c.id == t.memberships.c.user_id)
    .where(t.memberships.c.source == MARK)
    .order_by(t.users.c.name)
)
_HOLDERS = (
    sa.select(t.roles.c.name, t.users.c.name, t.groups.c.name, t.services.c.name)
    .select_from(t.holders)
    .join(t.roles, t.roles.c.id == t.holders.c.role_id)
    .outerjoin(t.users, t.users.c.id == t.holders.c.user_id)
    .outerjoin(t.groups, t.groups.c.id == t.holders.c.group_id)
    .outerjoin(t.services, t.services.c.id == t.holders.c.service_id)
    .order_by(t.users.c.name, t.groups.c.name, t.services.c.name)
)


async def find_declaration(tx: Tx, what: str) -> tuple[str, datetime] | None:
    """Digest and moment of what was declared last."""
    columns = t.declarations.c
    row = (await tx.execute(sa.select(columns.digest, columns.at).where(columns.name == what))).first()
    return None if row is None else (row[0], row[1])


async def upsert_declaration(tx: Tx, what: str, digest: str, at: datetime) -> None:
    """This was declared last."""
    await upsert(
        tx,
        t.declarations,
        {"name": what, "digest": digest, "at": at},
        key=["name"],
        change=lambda new: {"digest": new.digest, "at": new.at},
    )


async def unmark(tx: Tx) -> None:
    """Take the mark from everything; what is still declared gets it again."""
    for table in (t.users, t.groups, t.memberships, t.services, t.roles):
        await tx.execute(sa.update(table).where(table.c.source == MARK).values(source=Source.API))
    await tx.execute(sa.delete(t.tokens).where(t.tokens.c.source == MARK))


async def declared(tx: Tx) -> dict[str, Any]:
    """What the settings say, as the database has it: label -> value, for the audit log. No secrets."""
    u, g, v = t.users.c, t.groups.c, t.services.c
    found: dict[str, Any] = {}
    for (name,) in await tx.execute(sa.select(u.name).where(u.source == MARK)):
        found[f"user:{name}"] = {"admin": True}
    for name, properties in await tx.execute(sa.select(g.name, g.properties).where(g.source == MARK)):
        found[f"group:{name}"] = {"properties": properties, "members": []}
    for group, user in await tx.execute(_DECLARED_MEMBERS):
        found.setdefault(f"group:{group}", {"members": []})["members"].append(user)
    for name, admin, url in await tx.execute(sa.select(v.name, v.admin, v.url).where(v.source == MARK)):
        found[f"service:{name}"] = {"admin": admin, "url": url}
    for name, scopes in await tx.execute(sa.select(t.roles.c.name, t.roles.c.scopes)):
        found[f"role:{name}"] = {"scopes": list(scopes), "holders": []}
    for role, user, group, service in await tx.execute(_HOLDERS):
        holder = f"user:{user}" if user else f"group:{group}" if group else f"service:{service}"
        found[f"role:{role}"]["holders"].append(holder)
    return found


async def upsert_roles(tx: Tx, declared: Iterable[Role]) -> dict[str, int]:
    """Built-in and declared roles; ids by name."""
    wanted: dict[str, tuple[str, tuple[str, ...], Source]] = {
        name: (description, scopes, Source.BUILT_IN) for name, (description, scopes) in BUILT_IN.items()
    }
    for role in declared:
        known = wanted.get(role.name)
        scopes = role.scopes if role.scopes is not None else (known[1] if known else ())
        wanted[role.name] = (role.description or (known[0] if known else ""), scopes, MARK)
    rows = await tx.execute(sa.select(t.roles.c.name, t.roles.c.id))
    ids: dict[str, int] = {row[0]: row[1] for row in rows}
    for name, (description, scopes, source) in wanted.items():
        values = {"description": description, "scopes": list(scopes), "source": source}
        if name in ids:
            await tx.execute(sa.update(t.roles).where(t.roles.c.id == ids[name]).values(**values))
        else:
            insert = sa.insert(t.roles).values(name=name, **values).returning(t.roles.c.id)
            ids[name] = (await tx.execute(insert)).scalar_one()
    return ids


async def upsert_services(tx: Tx, declared: Iterable[Service], base: str, keys: Keys) -> dict[str, int]:
    """Declared services with their tokens and OAuth clients; ids of all services by name."""
    rows = await tx.execute(sa.select(t.services.c.name, t.services.c.id))
    ids: dict[str, int] = {row[0]: row[1] for row in rows}
    for service in declared:
        values = {
            "admin": service.admin,
            "url": service.url,
            "info": dict(service.info),
            "display": service.display,
            "command": list(service.command),
            "source": MARK,
        }
        if service.name in ids:
            key = ids[service.name]
            await tx.execute(sa.update(t.services).where(t.services.c.id == key).values(**values))
        else:
            insert = sa.insert(t.services).values(name=service.name, **values).returning(t.services.c.id)
            ids[service.name] = (await tx.execute(insert)).scalar_one()
        await _service_credentials(tx, service, ids[service.name], base, keys)
    return ids


async def _service_credentials(tx: Tx, service: Service, service_id: int, base: str, keys: Keys) -> None:
    secret = service_token(service, keys)
    if secret is not None:
        new = NewToken(secret=secret, service_id=service_id, note="From the settings", source=MARK)
        await insert_token(tx, new, clock.now())
    redirect_uri = service.oauth_redirect_uri
    if redirect_uri is None and service.url is not None:
        redirect_uri = f"{base}services/{service.name}/oauth_callback"
    if redirect_uri is not None:
        await upsert_service_client(
            tx,
            service_id,
            client_id=service.oauth_client_id or f"service-{service.name}",
            redirect_uri=redirect_uri,
            description=f"JupyterHub service {service.name}",
            allowed_scopes=service.oauth_client_allowed_scopes,
            no_confirm=service.oauth_no_confirm,
        )


async def upsert_groups(tx: Tx, settings: Settings) -> dict[str, int]:
    """Declared groups, and those that roles name; ids by name."""
    names = set(settings.groups) | {name for role in settings.roles for name in role.groups}
    rows = await tx.execute(sa.select(t.groups.c.name, t.groups.c.id).where(t.groups.c.name.in_(names)))
    ids: dict[str, int] = {row[0]: row[1] for row in rows}
    for name in sorted(names):
        group = settings.groups.get(name)
        properties = dict(group.properties) if group else {}
        source = MARK if group else Source.API
        if name not in ids:
            ids[name] = await groups_store.insert_group(tx, name, properties, source)
        elif group:
            await groups_store.update_group(tx, ids[name], properties=properties, source=source)
    return ids


async def upsert_people(tx: Tx, settings: Settings, admins: set[str]) -> dict[str, int]:
    """People that the file names; ids by name."""
    names = admins | {name for role in settings.roles for name in role.users}
    names |= {name for group in settings.groups.values() for name in group.members}
    present = await people_store.find_ids(tx, sorted(names))
    now = clock.now()
    for admin in (True, False):
        new = sorted(name for name in names - set(present) if (name in admins) is admin)
        await people_store.insert_people(tx, new, admin=admin, source=MARK if admin else Source.API, now=now)
    ids = await people_store.find_ids(tx, sorted(names))
    for name in sorted(admins & set(present)):
        await people_store.update_person(tx, ids[name], admin=True, source=MARK)
    return ids


async def insert_members(
    tx: Tx, settings: Settings, groups: Mapping[str, int], people: Mapping[str, int]
) -> None:
    """Members that the file guarantees."""
    m = t.memberships.c
    for name, group in settings.groups.items():
        ids = [people[member] for member in group.members]
        present = await groups_store.find_member_ids(tx, groups[name])
        new = [key for key in dict.fromkeys(ids) if key not in present]
        await groups_store.insert_members(tx, groups[name], new, MARK)
        await tx.execute(
            sa.update(t.memberships).where(m.group_id == groups[name], m.user_id.in_(ids)).values(source=MARK)
        )


async def replace_holders(
    tx: Tx,
    settings: Settings,
    roles: Mapping[str, int],
    people: Mapping[str, int],
    groups: Mapping[str, int],
    services: Mapping[str, int],
) -> None:
    """Roles are held as the file says: it is the only place that gives them."""
    rows: set[tuple[int, int | None, int | None, int | None]] = set()
    for role in settings.roles:
        key = roles[role.name]
        rows |= {(key, people[name], None, None) for name in role.users}
        rows |= {(key, None, groups[name], None) for name in role.groups}
        rows |= {(key, None, None, services[name]) for name in role.services if name in services}
    for service in settings.services:
        rows |= {(roles[name], None, None, services[service.name]) for name in service.roles}
    await tx.execute(sa.delete(t.holders))
    if rows:
        columns = ("role_id", "user_id", "group_id", "service_id")
        await tx.execute(sa.insert(t.holders), [dict(zip(columns, row, strict=True)) for row in rows])
