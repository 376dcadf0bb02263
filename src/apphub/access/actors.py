"""The actors that credentials make of their owners."""

from __future__ import annotations

from dataclasses import replace

from apphub.access import store
from apphub.access.actor import Actor
from apphub.access.grants import Grants
from apphub.access.model import Owner
from apphub.access.scopes import IDENTIFY


def owner_actor(owner: Owner) -> Actor:
    """Somebody with all of their own rights."""
    return Actor(
        kind=owner.kind,
        id=owner.id,
        name=owner.name,
        admin=owner.admin,
        groups=owner.groups,
        rights=(owner.grants,),
    )


def token_actor(credential: store.Credential) -> Actor:
    """The actor that a valid token makes of its owner: with all their rights, or narrowed to the token's."""
    owner = credential.owner
    rights: tuple[Grants, ...] = (owner.grants,)
    user = owner.name if owner.kind == "user" else None
    if "inherit" not in credential.scopes:
        scopes = (*credential.scopes, *(IDENTIFY if user else ()))
        limit = Grants.of(scopes, user=user, server=credential.server)
        # What every token may say about its owner needs no right of the owner's.
        rights = (owner.grants | Grants.of(IDENTIFY, user=user), limit)
    return replace(
        owner_actor(owner),
        rights=rights,
        token_id=credential.id,
        session_id=credential.session_id,
        session_public_id=credential.session_public_id,
        server_id=credential.server_id,
        program=credential.program,
        expires=credential.expires,
    )
