"""What can be done with services: one method, one transaction.

A service's API token is also its secret as an OAuth client, so both are written together.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from apphub.access import store as access_store
from apphub.access.actor import Actor, Reach
from apphub.access.grants import Grants
from apphub.access.model import NewToken
from apphub.access.scopes import check
from apphub.audit import By, insert_entry
from apphub.db import Database
from apphub.db.changes import RIGHTS, SERVICES
from apphub.errors import Conflict, Invalid, NotFound, shown
from apphub.kit import clock
from apphub.kit.names import SLUG
from apphub.oauth.store import upsert_service_client
from apphub.people import services as store
from apphub.people.actions import MayNotGrant
from apphub.people.model import Service, Source
from apphub.people.services import NewService
from apphub.settings.model import misfit_of_address

#: Shortest token that a service may bring.
SHORTEST = 16


class NotModifiable(Conflict):
    """The settings file declares it: told as JupyterHub tells it, with status 405."""


class Services(Struct, frozen=True):
    """Services."""

    db: Database

    async def list(self, reach: Reach) -> list[Service]:
        """All services within reach."""
        async with self.db.read() as tx:
            return await store.list_services(tx, reach)

    async def get(self, name: str) -> Service:
        """One service; raises `NoSuchService`."""
        async with self.db.read() as tx:
            return await store.get_service(tx, name)

    async def create(self, actor: Actor, by: By, new: NewService) -> Service:
        """Register an external service."""
        self._check(new)
        async with self.db.write() as tx:
            if await store.find_service(tx, new.name) is not None:
                raise Conflict(f"Service {new.name} already exists")
            admin = Grants.of(await access_store.get_role_scopes(tx, "admin"))
            if new.admin and not admin.within(actor.grants()):
                raise MayNotGrant("Only an administrator may register a service with that role.")
            if not _asked_of_visitors(new.oauth_allowed_scopes, admin).within(actor.grants()):
                raise MayNotGrant("A service may ask its visitors only for what you hold yourself.")
            service_id = await store.insert_service(tx, new)
            if new.api_token is not None:
                token = NewToken(secret=new.api_token, service_id=service_id, note="Given at registration")
                await access_store.insert_token(tx, token, clock.now())
            if new.oauth_redirect_uri is not None:
                await upsert_service_client(
                    tx,
                    service_id,
                    client_id=new.oauth_client_id or f"service-{new.name}",
                    redirect_uri=new.oauth_redirect_uri,
                    description=f"JupyterHub service {new.name}",
                    allowed_scopes=new.oauth_allowed_scopes,
                    no_confirm=new.oauth_no_confirm,
                )
            after = {
                "admin": new.admin,
                "url": new.url,
                "oauth_redirect_uri": new.oauth_redirect_uri,
                "oauth_allowed_scopes": list(new.oauth_allowed_scopes),
            }
            insert_entry(tx, by, "service.create", f"service:{new.name}", after=after)
            tx.changed(RIGHTS, SERVICES)
            return await store.get_service(tx, new.name)

    async def delete(self, by: By, name: str) -> None:
        """Forget a service; its tokens end."""
        async with self.db.write() as tx:
            service = await store.find_service(tx, name)
            if service is None:
                raise NotFound(f"Service {shown(name)} does not exist")
            if service.source is Source.SETTINGS:
                raise NotModifiable(f"Service {name} is not modifiable at runtime")
            await store.delete_service(tx, service.id)
            before = {"admin": service.admin, "url": service.url}
            insert_entry(tx, by, "service.delete", service.label, before=before)
            tx.changed(RIGHTS, SERVICES)

    def _check(self, new: NewService) -> None:
        if len(new.name) > 63 or not SLUG.fullmatch(new.name):
            raise Invalid(f"Invalid service name: {shown(new.name)}", "Use small letters, digits and . _ -")
        if new.url and (problem := misfit_of_address(new.url)):
            raise Invalid(f"url {problem}.")
        if new.api_token is not None and len(new.api_token) < SHORTEST:
            raise Invalid(f"The API token of a service has {SHORTEST} characters or more.")
        if (new.oauth_client_id or new.oauth_redirect_uri) and new.api_token is None:
            raise Invalid("A service that signs people in needs an api_token: it is its secret.")
        if new.oauth_no_confirm:
            raise Invalid(
                "oauth_no_confirm can be given in the settings file only: it skips people's consent."
            )
        check(new.oauth_allowed_scopes)


def _asked_of_visitors(scopes: Sequence[str], admin: Grants) -> Grants:
    """What a service may come to hold by asking its visitors, who may be anybody.

    A filter without a value leaves each visitor's own things, which is no more than a person has.
    """
    if "inherit" in scopes:
        return admin
    return Grants.of([scope for scope in scopes if not scope.endswith(("!user", "!server"))])
