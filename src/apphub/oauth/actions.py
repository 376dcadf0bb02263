"""The authorisation code grant (RFC 6749, section 4.1) with PKCE (RFC 7636, S256 only).

Servers and services are the clients; their API token is their secret. An access token is an
ordinary token of the visitor, narrowed to what the client may ask for and the visitor holds,
and it ends with the sign-in that granted it. Errors are Authlib's, which name the RFC's codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnsupportedGrantTypeError,
    UnsupportedResponseTypeError,
)
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from msgspec import Struct
from msgspec.structs import replace

from apphub.access import store as access_store
from apphub.access.actor import Actor
from apphub.access.grants import Grants, Target
from apphub.access.model import NewToken
from apphub.access.scopes import IDENTIFY, UnknownScope, check
from apphub.audit import By, insert_entry
from apphub.db import Database, Tx
from apphub.errors import Forbidden, Invalid
from apphub.kit import clock, secrets
from apphub.oauth import store
from apphub.oauth.store import Client, Code

#: An authorisation code is good for this long.
CODE_LIFE = timedelta(minutes=5)


class BadRequest(Invalid):
    """The client or its redirect address is not known: nobody is sent anywhere."""


class NoAccess(Forbidden):
    """The visitor may not use this app."""


class Refused(Exception):
    """The client is told by a redirect that its request was refused (RFC 6749, section 4.1.2.1)."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Authorization(Struct, frozen=True):
    """A request of a known client, in order, by somebody who may use it."""

    client: Client
    redirect_uri: str
    #: What the client would get.
    scopes: tuple[str, ...]
    state: str | None
    challenge: str | None
    #: Whether the visitor must be asked.
    confirm: bool


def access_scope(client: Client) -> str:
    """The scope that whoever visits the client's app must hold."""
    if client.server is not None:
        return f"access:servers!server={client.server}"
    return f"access:services!service={client.service}"


def may_visit(client: Client, actor: Actor) -> bool:
    """Whether the visitor holds it."""
    if client.server is not None:
        user = client.server.partition("/")[0]
        target = Target(user=user, groups=client.owner_groups, server=client.server)
        return actor.may("access:servers", target)
    return actor.may("access:services", Target(service=client.service))


def _error(redirect_uri: str, error: OAuth2Error, state: str | None) -> Refused:
    params = [("error", str(error.error))]
    if state is not None:
        params.append(("state", state))
    return Refused(str(add_params_to_uri(redirect_uri, params)))


class Provider(Struct, frozen=True):
    """Authorises and exchanges."""

    db: Database
    life: timedelta

    async def check(
        self, params: Mapping[str, str], actor: Actor, origin: str, *, chosen: Sequence[str] | None = None
    ) -> Authorization:
        """Look at an authorisation request; `chosen` are the scopes that the visitor ticked.

        Raises `BadRequest`, `NoAccess`, or `Refused` with where to send the visitor.
        """
        async with self.db.read() as tx:
            clients = await store.list_clients(tx, params.get("client_id", "")[:1000])
        client, redirect_uri = self._asking(clients, params.get("redirect_uri"), origin)
        state = params.get("state")
        if params.get("response_type") != "code":
            raise _error(redirect_uri, UnsupportedResponseTypeError(params.get("response_type")), state)
        challenge = params.get("code_challenge")
        if challenge is not None and params.get("code_challenge_method", "plain") != "S256":
            raise _error(redirect_uri, InvalidRequestError(), state)
        asked = self._asked(client, params.get("scope"))
        if asked is None:
            raise _error(redirect_uri, InvalidScopeError(), state)
        if not may_visit(client, actor):
            raise NoAccess(f"You do not have access to {client.description}.", "Ask its owner to share it.")
        scopes = self._held(asked, chosen, client, actor)
        return Authorization(
            client=client,
            redirect_uri=redirect_uri,
            scopes=scopes,
            state=state,
            challenge=challenge,
            confirm=await self._must_confirm(client, actor, scopes),
        )

    async def grant(self, authorization: Authorization, actor: Actor, by: By) -> str:
        """Give the client a code; where to send the visitor with it."""
        assert actor.user_id is not None
        secret = secrets.new_token()
        code = Code(
            client_id=authorization.client.id,
            user_id=actor.user_id,
            session_id=actor.session_id,
            redirect_uri=authorization.redirect_uri,
            scopes=authorization.scopes,
            challenge=authorization.challenge,
            expires=clock.now() + CODE_LIFE,
        )
        async with self.db.write() as tx:
            await store.insert_code(tx, secret, code)
            insert_entry(
                tx,
                by,
                "oauth.grant",
                f"client:{authorization.client.client_id}",
                after={"scopes": list(authorization.scopes)},
            )
            if (server := authorization.client.server) is not None:
                insert_entry(tx, by, "server.open", f"server:{server}")
        params = [("code", secret)]
        if authorization.state is not None:
            params.append(("state", authorization.state))
        return str(add_params_to_uri(authorization.redirect_uri, params))

    async def exchange(self, form: Mapping[str, str], origin: str, by: By) -> dict[str, Any]:
        """Trade a code for an access token (RFC 6749, section 4.1.3). Raises Authlib's `OAuth2Error`."""
        if form.get("grant_type") != "authorization_code":
            raise UnsupportedGrantTypeError(form.get("grant_type"))
        async with self.db.read() as tx:
            client = await self._proven(tx, form.get("client_id", ""), form.get("client_secret", ""))
        if client is None:
            raise InvalidClientError(status_code=401)
        now = clock.now()
        async with self.db.write() as tx:
            code = await store.take_code(tx, form.get("code", ""))
        if code is None or code.client_id != client.id or code.expires < now:
            raise InvalidGrantError
        asked = form.get("redirect_uri")
        if asked is not None and self._absolute(asked, origin) != self._absolute(code.redirect_uri, origin):
            raise InvalidGrantError
        if code.challenge is not None and (
            create_s256_code_challenge(form.get("code_verifier", "")) != code.challenge
        ):
            raise InvalidGrantError
        token = secrets.new_token()
        new = NewToken(
            secret=token,
            user_id=code.user_id,
            session_id=code.session_id,
            client_id=client.id,
            scopes=code.scopes,
            expires=now + self.life,
        )
        async with self.db.write() as tx:
            token_id = await access_store.insert_token(tx, new, now)
            made = await access_store.find_token(tx, token_id)
            assert made is not None
            person, after = f"user:{made.owner}", {"id": made.wire_id, "scopes": list(code.scopes)}
            who = replace(by, actor=f"client:{client.client_id}", behalf=person)
            insert_entry(tx, who, "oauth.token", person, after=after)
        return {
            "access_token": token,
            "expires_in": int(self.life.total_seconds()),
            "token_type": "Bearer",
            "scope": " ".join(sorted({*code.scopes, *IDENTIFY})),
        }

    def _asking(self, clients: Sequence[Client], asked: str | None, origin: str) -> tuple[Client, str]:
        """Which of the clients of an id it is, by the address that it asks people to be sent back to."""
        if not clients:
            raise BadRequest("The app that sent you here is not known to this hub.", "Open it again.")
        if asked is None:
            if len(clients) > 1:
                raise BadRequest("The app does not say where to send you back to (redirect_uri).")
            return clients[0], clients[0].redirect_uri
        wanted = self._absolute(asked, origin)
        for client in clients:
            if self._absolute(client.redirect_uri, origin) == wanted:
                return client, asked
        raise BadRequest("The app asks to send you to an address that is not its own.")

    async def _proven(self, tx: Tx, client_id: str, secret: str) -> Client | None:
        """The client of this id whose secret this is."""
        given = secrets.digest(secret)
        for client in await store.list_clients(tx, client_id[:1000]):
            known = await store.find_client_secret(tx, client)
            if any(secrets.same(given, digest) for digest in known):
                return client
        return None

    def _absolute(self, uri: str, origin: str) -> str:
        return f"{origin}{uri}" if uri.startswith("/") and not uri.startswith("//") else uri

    def _asked(self, client: Client, scope: str | None) -> tuple[str, ...] | None:
        """The scopes asked for; None when one is more than the client may ask for."""
        if not scope:
            return client.allowed_scopes
        asked = tuple(dict.fromkeys(scope.split()))[:100]
        try:
            check(asked)
        except UnknownScope:
            return None
        allowed = {*client.allowed_scopes, *IDENTIFY, access_scope(client)}
        return asked if set(asked) <= allowed else None

    def _held(
        self, asked: Sequence[str], chosen: Sequence[str] | None, client: Client, actor: Actor
    ) -> tuple[str, ...]:
        """What of it the visitor holds (and ticked), with the right to use the app itself."""
        mine = actor.grants()
        held = [access_scope(client), *IDENTIFY]
        for scope in asked:
            wanted = chosen is None or scope in chosen
            grants = Grants.of([scope], user=actor.name, server=client.server)
            if wanted and (scope == "inherit" or grants.within(mine, user=actor.name, groups=actor.groups)):
                held.append(scope)
        return tuple(sorted(set(held)))

    async def _must_confirm(self, client: Client, actor: Actor, scopes: Sequence[str]) -> bool:
        if client.no_confirm or (client.server or "").partition("/")[0] == actor.name:
            return False
        assert actor.user_id is not None
        async with self.db.read() as tx:
            return not await store.has_consent(tx, actor.user_id, client.id, scopes, clock.now())
