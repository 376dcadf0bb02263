"""One server: its story, its output, its name, whom it is shared with."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.pages.addressed import back_of, find_account, find_server, key_of, paths, pending_path
from apphub.pages.answers import language, redirect, show
from apphub.pages.cards import card, server_row, target_of
from apphub.pages.details import ServerDetails
from apphub.pages.forms import Form
from apphub.pages.home import guests_of
from apphub.pages.story import may_know, opened, told
from apphub.servers.model import NoSuchServer, Server
from apphub.servers.views import Account
from apphub.web.needs import needs
from apphub.web.progress import TAIL
from apphub.web.request import HubRequest


@get(paths("server"), guards=[needs("read:servers", of_server=True)])
async def details(request: HubRequest) -> Response[bytes]:
    """The page of one server."""
    key = key_of(request)
    account = await find_account(request)
    server = find_server(account, key)
    if server is None:
        raise NoSuchServer(key)
    return show(request, await details_page(request, account, server))


@post(paths("rename"), guards=[needs("servers", of_server=True)])
async def rename(request: HubRequest) -> Response[bytes]:
    """Call it something else."""
    form, key = await Form.of(request), key_of(request)
    await request.hub.care.rename(request.by, key, form.text("display_name"))
    return redirect(request.hub.urls.page("server", *key))


@post(paths("restart"), guards=[needs("servers", of_server=True)])
async def restart(request: HubRequest) -> Response[bytes]:
    """Stop it and start it anew, with the same options."""
    await Form.of(request)
    server = await request.hub.servers.restart(request.by, key_of(request))
    return redirect(pending_path(request, server.key))


@post(paths("delete"), guards=[needs("delete:servers", of_server=True)])
async def delete(request: HubRequest) -> Response[bytes]:
    """Stop it and forget it in a moment; until then it can be brought back."""
    await Form.of(request)
    await request.hub.care.delete(request.by, key_of(request), request.hub.settings.timeouts.undo)
    return redirect(back_of(request))


@post(paths("keep"), guards=[needs("delete:servers", of_server=True)])
async def keep(request: HubRequest) -> Response[bytes]:
    """Take a deletion back."""
    await Form.of(request)
    await request.hub.care.keep(request.by, key_of(request))
    return redirect(back_of(request))


async def details_page(request: HubRequest, account: Account, server: Server) -> ServerDetails:
    """What the page of a server shows."""
    hub, actor, tongue = request.hub, request.actor, language(request)
    groups = frozenset(account.person.groups)
    target = target_of(server, groups)
    guests = (await guests_of(request, account)).get(server.id, ()) if server.id else None
    row = server_row(request, server, groups=groups, guests=guests)
    plan = server.plan
    profile = hub.catalogue.find(plan.profile) if plan is not None else None
    story = await hub.care.story(server) if server.id else []
    deeds, visits = [], None
    if server.id and may_know(actor, server.key):
        label, since = str(server.key), server.created
        deeds = await hub.audit.deeds(label, since=since)
        visits = opened(tongue, await hub.audit.visits(label, since=since))
    titles = {name: option.title or name for name, option in profile.options.items()} if profile else {}
    return ServerDetails(
        server=row,
        created=server.created,
        card=card(profile, tongue) if profile is not None else None,
        options=[
            (titles.get(name, name), shown_value(value))
            for name, value in (plan.options if plan else {}).items()
        ],
        events=told(tongue, story, deeds),
        visits=visits,
        log=await hub.logs.tail(server, TAIL),
        earlier_log=await hub.logs.tail(server, TAIL, attempt=server.attempt - 1),
        may_rename=actor.may("servers", target) and bool(server.id),
        report=hub.urls.page("report", *server.key) if server.attempt else "",
    )


def shown_value(value: object) -> str:
    """A value of an option, for people."""
    return {True: "✓", False: "✗"}[value] if isinstance(value, bool) else str(value)


ROUTES = [details, rename, restart, delete, keep]
