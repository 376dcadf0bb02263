"""Rows of OAuth clients and authorisation codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct

from apphub.db import Tx
from apphub.db import tables as t
from apphub.kit import secrets
from apphub.people.store import group_names

o = t.oauth_clients.c
k = t.oauth_codes.c


class Client(Struct, frozen=True):
    """An app or service that may ask for access tokens."""

    id: int
    client_id: str
    description: str
    redirect_uri: str
    allowed_scopes: tuple[str, ...]
    no_confirm: bool
    #: `user/name` when it is a server.
    server: str | None
    service: str | None
    server_id: int | None
    service_id: int | None
    #: The groups that the server's owner is in.
    owner_groups: frozenset[str] = frozenset()


class Code(Struct, frozen=True):
    """An authorisation code, once: reading it deletes it."""

    client_id: int
    user_id: int
    session_id: int | None
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    expires: datetime


async def list_clients(tx: Tx, client_id: str) -> list[Client]:
    """The clients of this public id: mostly one, but servers of several people may share one."""
    server = sa.case((t.servers.c.id.is_(None), None), else_=t.users.c.name + "/" + t.servers.c.name)
    statement = (
        sa.select(
            o.id,
            o.client_id,
            o.description,
            o.redirect_uri,
            o.allowed_scopes,
            o.no_confirm,
            server,
            t.services.c.name,
            o.server_id,
            o.service_id,
            group_names,
        )
        .outerjoin(t.servers, t.servers.c.id == o.server_id)
        .outerjoin(t.users, t.users.c.id == t.servers.c.user_id)
        .outerjoin(t.services, t.services.c.id == o.service_id)
        .where(o.client_id == client_id)
        .order_by(o.id)
    )
    return [_client_of(row) for row in await tx.execute(statement)]


def _client_of(row: Any) -> Client:
    return Client(
        id=row[0],
        client_id=row[1],
        description=row[2],
        redirect_uri=row[3],
        allowed_scopes=tuple(row[4]),
        no_confirm=row[5],
        server=row[6],
        service=row[7],
        server_id=row[8],
        service_id=row[9],
        owner_groups=frozenset(row[10]),
    )


_THIS = o.server_id == sa.bindparam("server")
_OTHERS_THERE = sa.delete(t.oauth_clients).where(
    sa.or_(
        sa.and_(o.redirect_uri == sa.bindparam("there"), o.server_id != sa.bindparam("server")),
        sa.and_(_THIS, o.client_id != sa.bindparam("client")),
    )
)
_MOVE_CLIENT = (
    sa.update(t.oauth_clients)
    .where(_THIS)
    .values(redirect_uri=sa.bindparam("there"), description=sa.bindparam("words"))
    .returning(o.server_id)
)
_ADD_CLIENT = sa.insert(t.oauth_clients)


class ServerClient(NamedTuple):
    """A server as an OAuth client."""

    server_id: int
    client_id: str
    redirect_uri: str
    description: str

    @property
    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {**self._asdict(), "allowed_scopes": [], "no_confirm": False}


async def upsert_server_clients(tx: Tx, clients: Sequence[ServerClient]) -> None:
    """Register servers as clients; who had such an address before (a server since renamed) loses it."""
    if not clients:
        return
    here = [{"there": one.redirect_uri, "server": one.server_id, "client": one.client_id} for one in clients]
    await tx.execute(_OTHERS_THERE, here)
    moves = [
        {"there": one.redirect_uri, "server": one.server_id, "words": one.description} for one in clients
    ]
    moved = set((await tx.execute(_MOVE_CLIENT, moves)).scalars())
    new = [one.row for one in clients if one.server_id not in moved]
    if new:
        await tx.execute(_ADD_CLIENT, new)


async def upsert_service_client(
    tx: Tx,
    service_id: int,
    *,
    client_id: str,
    redirect_uri: str,
    description: str,
    allowed_scopes: Sequence[str],
    no_confirm: bool,
) -> None:
    """Register a service as a client."""
    values = {
        "redirect_uri": redirect_uri,
        "description": description,
        "allowed_scopes": list(allowed_scopes),
        "no_confirm": no_confirm,
        "client_id": client_id,
    }
    changed = await tx.execute(sa.update(t.oauth_clients).where(o.service_id == service_id).values(**values))
    if not changed.rowcount:
        await tx.execute(sa.insert(t.oauth_clients).values(service_id=service_id, **values))


async def insert_code(tx: Tx, secret: str, code: Code) -> None:
    """Store the digest of a code with what it stands for."""
    await tx.execute(
        sa.insert(t.oauth_codes).values(
            digest=secrets.digest(secret),
            client_id=code.client_id,
            user_id=code.user_id,
            session_id=code.session_id,
            redirect_uri=code.redirect_uri,
            scopes=list(code.scopes),
            challenge=code.challenge,
            expires=code.expires,
        )
    )


async def take_code(tx: Tx, secret: str) -> Code | None:
    """The code of this secret; it is gone afterwards, whatever becomes of it."""
    statement = (
        sa.delete(t.oauth_codes)
        .where(k.digest == secrets.digest(secret))
        .returning(k.client_id, k.user_id, k.session_id, k.redirect_uri, k.scopes, k.challenge, k.expires)
    )
    row = (await tx.execute(statement)).first()
    if row is None:
        return None
    return Code(row[0], row[1], row[2], row[3], tuple(row[4]), row[5], row[6])


async def find_client_secret(tx: Tx, client: Client) -> list[str]:
    """Digests of the tokens that are this client's secret: the API tokens of its server or service."""
    mine = (
        t.tokens.c.server_id == client.server_id
        if client.server_id is not None
        else t.tokens.c.service_id == client.service_id
    )
    statement = sa.select(t.tokens.c.digest).where(mine, t.tokens.c.client_id.is_(None))
    return list((await tx.execute(statement)).scalars())


async def has_consent(tx: Tx, user_id: int, client_id: int, scopes: Sequence[str], now: datetime) -> bool:
    """Whether the person has a live token of this client that holds all these scopes: then consent stands."""
    statement = sa.select(t.tokens.c.scopes).where(
        t.tokens.c.user_id == user_id,
        t.tokens.c.client_id == client_id,
        sa.or_(t.tokens.c.expires.is_(None), t.tokens.c.expires > now),
    )
    held: set[str] = set()
    for row in await tx.execute(statement):
        held.update(row[0])
    return set(scopes) <= held
