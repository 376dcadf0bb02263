"""One user: what they are, what they run, and what is done about it."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.access.actor import Actor
from apphub.audit.model import Search
from apphub.errors import HubError, Invalid
from apphub.pages.addressed import find_account
from apphub.pages.admin_contexts import AdminUser
from apphub.pages.admin_frame import entry, frame, person_target
from apphub.pages.answers import language, redirect, renderer, show
from apphub.pages.cards import server_row, target_of
from apphub.pages.contexts import ServerRow
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.sections import everywhere
from apphub.people.model import Source
from apphub.servers.views import Account, default_server
from apphub.web.errors import status_of
from apphub.web.needs import beyond_own, needs
from apphub.web.request import HubRequest

PATH = "/hub/admin/users/{user:str}"
#: Entries of the log that are shown.
LAST = 10


@get(PATH, guards=[needs("list:users")])
async def user(request: HubRequest) -> Response[bytes]:
    """A user's page."""
    return show(request, await _page(request))


@post(PATH, guards=[needs("admin:users")])
async def change(request: HubRequest) -> Response[bytes]:
    """Make somebody an administrator, or no longer one; give them another name."""
    form = await Form.of(request)
    admin = {"true": True, "false": False}.get(form.text("admin"))
    try:
        name = await request.hub.servers.change_user(
            request.actor,
            request.by,
            request.segment("user"),
            admin=admin,
            new_name=form.text("name") or None,
        )
    except HubError as error:
        return show(request, await _page(request, str(error)), status=status_of(error))
    return redirect(_path(request, name))


@post(f"{PATH}/delete", guards=[needs("delete:users")])
async def delete(request: HubRequest) -> Response[bytes]:
    """Delete somebody; their servers are stopped first."""
    await Form.of(request)
    name, hub = request.segment("user"), request.hub
    try:
        if name == request.actor.name:
            raise Invalid(gettext(language(request), "You cannot delete yourself."))
        await hub.servers.delete_user(request.by, name, patience=hub.settings.timeouts.slow_stop)
    except HubError as error:
        return show(request, await _page(request, str(error)), status=status_of(error))
    return redirect(f"{hub.urls.hub}admin")


def _path(request: HubRequest, name: str) -> str:
    return renderer(request.hub.urls.base).hub("admin", "users", name)


async def _page(request: HubRequest, error: str = "") -> AdminUser:
    account, actor, hub = await find_account(request), request.actor, request.hub
    person = account.person
    target = person_target(person)
    log = everywhere(actor, "read:audit")
    entries = await hub.audit.find(Search(target=person.label), limit=LAST) if log else []
    reads = actor.may("read:users", target)
    return AdminUser(
        frame=frame(request, "users"),
        name=person.name,
        admin=person.admin and actor.may("read:users:name", target),
        created=person.created if reads else None,
        last_activity=person.last_activity if actor.may("read:users:activity", target) else None,
        groups=person.groups if actor.may("read:users:groups", target) else (),
        roles=person.roles if actor.may("read:roles:users", target) else (),
        declared=person.source is Source.SETTINGS,
        servers=_servers(request, account),
        may_start=_may_start(account, actor),
        may_change=actor.may("admin:users", target),
        may_delete=actor.may("delete:users", target) and person.name != actor.name,
        may_groups=beyond_own(actor, "list:groups"),
        entries=[entry(one) for one in entries],
        log_path=renderer(hub.urls.base).hub("admin", "audit", target=person.label) if log else "",
        error=error,
    )


def _servers(request: HubRequest, account: Account) -> list[ServerRow]:
    groups = frozenset(account.person.groups)
    return [
        server_row(request, server, groups=groups)
        for server in sorted(account.servers, key=lambda one: (not one.active, one.key.name))
        if (server.key.name or server.attempt)
        and request.actor.may("read:servers", target_of(server, groups))
    ]


def _may_start(account: Account, actor: Actor) -> bool:
    """Whether there is a default server to start that is not in the list yet."""
    default = account.server("") or default_server(account.person)
    return not default.attempt and actor.may(
        "start:servers", target_of(default, frozenset(account.person.groups))
    )


ROUTES = [user, change, delete]
