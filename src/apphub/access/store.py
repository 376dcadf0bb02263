"""Rows of roles, tokens and sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from apphub.access.grants import Grants
from apphub.access.model import NewToken, NoSuchRole, Owner, Token
from apphub.db import Tx
from apphub.db import tables as t
from apphub.db.among import among
from apphub.db.forward import forward
from apphub.db.types import as_json, from_micros, json_row, json_rows, to_micros
from apphub.kit import clock, secrets

k = t.tokens.c
s = t.sessions.c
u = t.users.c
v = t.services.c
r = t.roles.c
h = t.holders.c

_GROUPS = (
    sa.select(json_rows(t.groups.c.name))
    .join(t.memberships, t.memberships.c.group_id == t.groups.c.id)
    .where(t.memberships.c.user_id == u.id)
    .scalar_subquery()
)

_ROLES_OF_USER = (
    sa.select(json_rows(as_json(r.scopes)))
    .where(
        sa.or_(
            r.name == "user",
            sa.and_(r.name == "admin", u.admin),
            r.id.in_(
                # correlated by name: left to itself, a nested query joins every user
                sa.select(h.role_id)
                .where(
                    sa.or_(
                        h.user_id == u.id,
                        h.group_id.in_(
                            sa.select(t.memberships.c.group_id)
                            .where(t.memberships.c.user_id == u.id)
                            .correlate(t.users)
                        ),
                    )
                )
                .correlate(t.users)
            ),
        )
    )
    .scalar_subquery()
)

_ROLES_OF_SERVICE = (
    sa.select(json_rows(as_json(r.scopes)))
    .where(
        sa.or_(
            sa.and_(r.name == "admin", v.admin),
            r.id.in_(sa.select(h.role_id).where(h.service_id == v.id).correlate(t.services)),
        )
    )
    .scalar_subquery()
)

_OWNER = t.users.alias("owner")

#: What is shared with a user, directly or by a group: (owner, server, scopes, end in microseconds).
_SHARES = (
    sa.select(
        json_rows(json_row(_OWNER.c.name, t.servers.c.name, as_json(t.shares.c.scopes), t.shares.c.expires))
    )
    .select_from(t.shares)
    .join(t.servers, t.servers.c.id == t.shares.c.server_id)
    .join(_OWNER, _OWNER.c.id == t.servers.c.user_id)
    .where(
        sa.or_(
            t.shares.c.user_id == u.id,
            t.shares.c.group_id.in_(
                sa.select(t.memberships.c.group_id).where(t.memberships.c.user_id == u.id).correlate(t.users)
            ),
        )
    )
    .correlate(t.users)
    .scalar_subquery()
)

_USER = (
    u.id,
    u.name,
    u.admin,
    _GROUPS.label("groups"),
    _ROLES_OF_USER.label("roles"),
    _SHARES.label("shares"),
)
_SERVICE = (v.id, v.name, v.admin, _ROLES_OF_SERVICE.label("roles"))

#: A token that a sign-in granted ends with it, if not before.
_END = sa.case((s.expires < k.expires, s.expires), else_=sa.func.coalesce(k.expires, s.expires))

_BY_TOKEN = (
    k.id,
    k.scheme,
    k.digest,
    k.scopes,
    _END.label("expires"),
    k.last_used,
    k.session_id,
    s.public_id,
    k.server_id,
)

_SERVER_NAME = (
    sa.select(u.name + "/" + t.servers.c.name)
    .where(t.servers.c.id == k.server_id, u.id == t.servers.c.user_id)
    .correlate(t.tokens)
    .scalar_subquery()
)

_CLIENT_NAME = (
    sa.select(t.oauth_clients.c.client_id)
    .where(t.oauth_clients.c.id == k.client_id)
    .correlate(t.tokens)
    .scalar_subquery()
)

_USER_BY_PREFIX = (
    sa.select(*_BY_TOKEN, _SERVER_NAME, _CLIENT_NAME, *_USER)
    .join(t.users, u.id == k.user_id)
    .outerjoin(t.sessions, s.id == k.session_id)
    .where(k.prefix.in_(sa.bindparam("prefixes", expanding=True)), u.deleted.is_(None))
)
_SERVICE_BY_PREFIX = (
    sa.select(*_BY_TOKEN, sa.null(), sa.null(), *_SERVICE)
    .join(t.services, v.id == k.service_id)
    .outerjoin(t.sessions, s.id == k.session_id)
    .where(k.prefix.in_(sa.bindparam("prefixes", expanding=True)))
)
_USER_BY_NAME = sa.select(*_USER).where(u.name == sa.bindparam("name"), u.deleted.is_(None))
_BY_SESSION = (
    sa.select(s.id, s.public_id, s.expires, u.last_activity, *_USER)
    .join(t.users, u.id == s.user_id)
    .where(u.deleted.is_(None))
)
_USER_BY_SESSION = _BY_SESSION.where(s.digest == sa.bindparam("key"))
_USER_BY_PUBLIC_SESSION = _BY_SESSION.where(s.public_id == sa.bindparam("key"))


class Credential:
    """What a token's row says, with the rights of its owner as they are now."""

    def __init__(self, row: Sequence[Any], owner: Owner) -> None:
        self.id: int = row[0]
        self.scheme: str = row[1]
        self.digest: str = row[2]
        self.scopes: tuple[str, ...] = tuple(row[3])
        self.expires: datetime | None = row[4]
        self.last_used: datetime | None = row[5]
        self.session_id: int | None = row[6]
        self.session_public_id: str | None = row[7]
        self.server_id: int | None = row[8]
        self.server: str | None = row[9]
        self.client: str | None = row[10]
        self.owner = owner

    @property
    def program(self) -> str | None:
        """The server or app whose token it is, for the audit log; None for one that people made."""
        if self.server is not None:
            return f"server:{self.server}"
        return f"client:{self.client}" if self.client is not None else None

    def proves(self, token: str) -> bool:
        """Whether this row is that token's."""
        if self.scheme == secrets.SHA256:
            return secrets.same(self.digest, secrets.digest(token))
        return secrets.verify_jupyterhub_hash(token, self.digest)


def _grants(roles: Iterable[Sequence[str]], user: str | None) -> Grants:
    return Grants.of([scope for role in roles for scope in role], user=user)


def _user_owner(row: Sequence[Any]) -> Owner:
    key, name, admin, groups, roles, shares = row
    now = to_micros(clock.now())
    live = [share for share in shares if share[3] is None or share[3] > now]
    shared = [f"{scope}!server={owner}/{server}" for owner, server, scopes, _ in live for scope in scopes]
    until = min((share[3] for share in live if share[3] is not None), default=None)
    return Owner(
        kind="user",
        id=key,
        name=name,
        admin=admin,
        groups=frozenset(groups),
        grants=_grants([*roles, shared], name),
        until=None if until is None else from_micros(until),
    )


def _service_owner(row: Sequence[Any]) -> Owner:
    key, name, admin, roles = row
    return Owner("service", key, name, admin, frozenset(), _grants(roles, None), None)


async def find_credential(tx: Tx, token: str) -> Credential | None:
    """The row of a token and its owner's rights."""
    prefixes = {"prefixes": [secrets.digest(token), token[:4]]}
    for row in await tx.execute(_USER_BY_PREFIX, prefixes):
        found = Credential(row, _user_owner(row[11:]))
        if found.proves(token):
            return found
    for row in await tx.execute(_SERVICE_BY_PREFIX, prefixes):
        found = Credential(row, _service_owner(row[11:]))
        if found.proves(token):
            return found
    return None


async def find_owner(tx: Tx, name: str) -> Owner | None:
    """A person with the rights they hold now."""
    row = (await tx.execute(_USER_BY_NAME, {"name": name})).first()
    return None if row is None else _user_owner(row)


async def find_session(
    tx: Tx, *, digest: str | None = None, public_id: str | None = None
) -> tuple[int, str, datetime, datetime | None, Owner] | None:
    """Id, public id, end, last activity and owner of the session with this cookie or public id."""
    statement = _USER_BY_SESSION if digest is not None else _USER_BY_PUBLIC_SESSION
    row = (await tx.execute(statement, {"key": digest if digest is not None else public_id})).first()
    return None if row is None else (row[0], row[1], row[2], row[3], _user_owner(row[4:]))


async def delete_expired(tx: Tx, now: datetime) -> None:
    """Forget what has ended: sessions, tokens, codes, counts of failures."""
    await tx.execute(sa.delete(t.sessions).where(s.expires < now))
    await tx.execute(sa.delete(t.tokens).where(k.expires < now))
    await tx.execute(sa.delete(t.shares).where(t.shares.c.expires < now))
    await tx.execute(sa.delete(t.share_codes).where(t.share_codes.c.expires < now))
    await tx.execute(sa.delete(t.oauth_codes).where(t.oauth_codes.c.expires < now))
    await tx.execute(sa.delete(t.login_failures).where(t.login_failures.c.until < now))


# -- tokens --------------------------------------------------------------------------------

#: The columns that `token_of` reads, in its order.
TOKEN = (
    k.id,
    u.name,
    v.name,
    k.scopes,
    k.note,
    k.created,
    k.last_used,
    k.expires,
    s.public_id,
    t.oauth_clients.c.description,
    _SERVER_NAME,
)


def _tokens() -> sa.Select[Any]:
    return (
        sa.select(*TOKEN)
        .outerjoin(t.users, u.id == k.user_id)
        .outerjoin(t.services, v.id == k.service_id)
        .outerjoin(t.sessions, s.id == k.session_id)
        .outerjoin(t.oauth_clients, t.oauth_clients.c.id == k.client_id)
    )


_TOKEN_BY_ID = _tokens().where(k.id == sa.bindparam("token"))
_TOKENS_OF = (
    _tokens()
    .where(
        k.user_id == sa.bindparam("user"),
        k.server_id.is_(None),
        sa.or_(k.expires.is_(None), k.expires > sa.bindparam("now")),
    )
    .order_by(k.id)
)
_INSERT_TOKENS = sa.insert(t.tokens)
_INSERT_TOKEN = _INSERT_TOKENS.returning(k.id)
_DELETE_TOKEN = sa.delete(t.tokens).where(k.id == sa.bindparam("token")).returning(k.user_id)
_DELETE_OF_SERVERS = sa.delete(t.tokens).where(among(k.server_id, "servers"))
_USED = forward(k.last_used)
_ACTIVE = forward(u.last_activity)
_ROLE_SCOPES = sa.select(r.scopes).where(r.name == sa.bindparam("role"))


def token_of(row: Any) -> Token:
    """The value of a row of `TOKEN`."""
    kind, owner = ("user", row[1]) if row[1] is not None else ("service", row[2])
    return Token(row[0], kind, owner, tuple(row[3]), *row[4:])  # type: ignore[arg-type]


async def insert_token(tx: Tx, new: NewToken, now: datetime) -> int:
    """Store a token's digest; its id."""
    return int((await tx.execute(_INSERT_TOKEN, _token_row(new, now))).scalar_one())


async def insert_tokens(tx: Tx, new: Sequence[NewToken], now: datetime) -> None:
    """Store the digests of tokens."""
    if new:
        await tx.execute(_INSERT_TOKENS, [_token_row(one, now) for one in new])


def _token_row(new: NewToken, now: datetime) -> dict[str, Any]:
    digest = secrets.digest(new.secret)
    return {
        "scheme": secrets.SHA256,
        "prefix": digest,
        "digest": digest,
        "user_id": new.user_id,
        "service_id": new.service_id,
        "server_id": new.server_id,
        "session_id": new.session_id,
        "client_id": new.client_id,
        "scopes": list(new.scopes),
        "note": new.note,
        "created": now,
        "expires": new.expires,
        "source": new.source,
    }


async def find_token(tx: Tx, token_id: int) -> Token | None:
    """One token by its id."""
    row = (await tx.execute(_TOKEN_BY_ID, {"token": token_id})).first()
    return None if row is None else token_of(row)


async def list_tokens_of(tx: Tx, user_id: int, now: datetime) -> list[Token]:
    """The live tokens of one person, oldest first; not those that servers use themselves."""
    return [token_of(row) for row in await tx.execute(_TOKENS_OF, {"user": user_id, "now": now})]


async def delete_token(tx: Tx, token_id: int) -> list[int]:
    """Revoke one token of a person; that person's id, if it was still there."""
    return (await tx.execute(_DELETE_TOKEN, {"token": token_id})).scalars()


async def delete_tokens_of_servers(tx: Tx, ids: Collection[int]) -> None:
    """Revoke the tokens that servers use themselves."""
    if ids:
        await tx.execute(_DELETE_OF_SERVERS, {"servers": ids})


async def note_uses(tx: Tx, tokens: Collection[int], people: Collection[int], now: datetime) -> None:
    """Record that tokens, and people, have just been active; only ever forward."""
    if tokens:
        await tx.execute(_USED, {"ids": tokens, "seen": now})
    if people:
        await tx.execute(_ACTIVE, {"ids": people, "seen": now})


# -- roles ---------------------------------------------------------------------------------


async def get_role_scopes(tx: Tx, name: str) -> tuple[str, ...]:
    """The scopes of a role; raises `NoSuchRole`."""
    scopes = (await tx.execute(_ROLE_SCOPES, {"role": name})).scalar()
    if scopes is None:
        raise NoSuchRole(name)
    return tuple(scopes)


async def list_roles(tx: Tx) -> Mapping[str, tuple[int, str, tuple[str, ...], str]]:
    """All roles: name -> (id, description, scopes, source)."""
    rows = await tx.execute(sa.select(r.name, r.id, r.description, r.scopes, r.source))
    return {row[0]: (row[1], row[2], tuple(row[3]), row[4]) for row in rows}
