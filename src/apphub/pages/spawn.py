"""Start a server, watch it come up, stop it, remove it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.response import Stream

from apphub.access.grants import Target
from apphub.errors import Invalid, LimitReached, NotFound
from apphub.kit import clock
from apphub.kit.urls import local_path, segment
from apphub.pages.answers import redirect, show
from apphub.pages.cards import card
from apphub.pages.contexts import Choice, Spawn, SpawnPending
from apphub.pages.forms import Form
from apphub.pages.stopped import stopped_page
from apphub.profiles.model import PROFILE
from apphub.runtimes.base import Ref
from apphub.servers.actions import Ask
from apphub.servers.launch import first_page
from apphub.servers.model import Server, ServerKey, parse_server_name
from apphub.servers.views import Account, default_server
from apphub.web.errors import status_of
from apphub.web.needs import needs, visitor
from apphub.web.progress import TAIL, stream
from apphub.web.request import HubRequest

_KEY = ("/{user:str}", "/{user:str}/{server:str}")


def _paths(verb: str) -> list[str]:
    return [f"/hub/{verb}{key}" for key in _KEY]


def key_of(request: HubRequest) -> ServerKey:
    """The server that the path names."""
    name = request.segment("server") if "server" in request.path_params else ""
    return ServerKey(request.segment("user"), parse_server_name(name) if name else "")


async def find_account(request: HubRequest) -> Account:
    """The person that the path names."""
    account = await request.hub.views.find_account(request.segment("user"))
    if account is None:
        raise NotFound("There is no such user.")
    return account


def find_server(account: Account, key: ServerKey) -> Server | None:
    """The server, also the default one that has never been started."""
    return account.server(key.name) or (default_server(account.person) if not key.name else None)


@get("/hub/spawn", guards=[visitor()])
async def spawn_mine(request: HubRequest) -> Response[bytes]:
    """My default server: opened, shown on its way, or started."""
    account = await request.hub.views.account(request.actor.name)
    server = account.server("")
    if server is not None and server.active:
        return redirect(_onward(request, server))
    if _starts_at_once(request, account):
        server = await request.hub.servers.start(request.by, ServerKey(request.actor.name, ""), Ask())
        return redirect(_pending(request, server.key))
    query = request.scope["query_string"].decode("latin-1")
    path = request.hub.urls.page("spawn", request.actor.name)
    return redirect(f"{path}?{query}" if query else path)


@post("/hub/spawn", guards=[visitor()])
async def start_mine(request: HubRequest) -> Response[bytes]:
    """Start my default server with the choices of a form."""
    request.path_params["user"] = segment(request.actor.name)
    request.actor.demand(Target(user=request.actor.name), "start:servers")
    return await start_from_form(request)


@get(_paths("spawn"), guards=[needs("start:servers")])
async def ask(request: HubRequest) -> Response[bytes]:
    """The form that starts a server; one that runs already is opened, one on its way is shown."""
    key = key_of(request)
    account = await find_account(request)
    server = find_server(account, key)
    if server is not None and server.active:
        return redirect(_onward(request, server))
    chosen = request.query_params.get("profile")
    last = dict(server.options or {}) if server is not None else {}
    return show(request, spawn_page(request, account, key, chosen or last.get(PROFILE), last))


@post(_paths("spawn"), guards=[needs("start:servers")])
async def start_with_options(request: HubRequest) -> Response[bytes]:
    """Start a server with the choices of the form."""
    return await start_from_form(request)


async def start_from_form(request: HubRequest) -> Response[bytes]:
    """Start the server that the path names, as the form says."""
    form, key = await Form.of(request), key_of(request)
    if not key.name and (name := form.text("server_name")):
        key = ServerKey(key.user, parse_server_name(name))
    profile = request.hub.catalogue.find(form.text("profile"))
    sent: dict[str, Any] = {PROFILE: form.text("profile")} if form.text("profile") else {}
    try:
        if profile is not None:
            sent |= form.options(profile)
        server = await request.hub.servers.start(request.by, key, Ask(options=sent))
    except (Invalid, LimitReached) as error:
        account = await find_account(request)
        page = spawn_page(request, account, key, form.text("profile"), sent, error=str(error))
        return show(request, page, status=status_of(error))
    return redirect(_pending(request, server.key))


@post(_paths("start"), guards=[needs("start:servers")])
async def start_again(request: HubRequest) -> Response[bytes]:
    """Start a server with what it was last started with."""
    await Form.of(request)
    server = await request.hub.servers.start(request.by, key_of(request), Ask())
    return redirect(_pending(request, server.key))


@post(_paths("stop"), guards=[needs("delete:servers")])
async def stop(request: HubRequest) -> Response[bytes]:
    """Stop a server and go home."""
    await Form.of(request)
    hub = request.hub
    server = await hub.servers.stop(request.by, key_of(request))
    if server is not None:
        await hub.servers.stopped(
            server, min(hub.settings.timeouts.slow_stop, hub.settings.timeouts.slow_spawn)
        )
    return redirect(f"{hub.urls.hub}home")


@post(_paths("remove"), guards=[needs("delete:servers")])
async def remove(request: HubRequest) -> Response[bytes]:
    """Forget a server and go home."""
    await Form.of(request)
    await request.hub.servers.stop(request.by, key_of(request), remove=True)
    return redirect(f"{request.hub.urls.hub}home")


@get(_paths("spawn-pending"), guards=[needs("read:servers")])
async def pending(request: HubRequest) -> Response[bytes]:
    """A server on its way: progress, output, and the reason when it does not come up."""
    key = key_of(request)
    account = await find_account(request)
    server = find_server(account, key)
    if server is None:
        raise NotFound(f"{key.user} has no server {key.name!r}.")
    if server.ready:
        return redirect(_onward(request, server))
    if not server.active and not server.failed:
        return show(request, stopped_page(request, account, server, _goal(request, server)))
    return show(request, await pending_page(request, server))


@get([f"/hub/progress{key}" for key in _KEY], guards=[needs("read:servers")])
async def events(request: HubRequest) -> Stream:
    """What the page of a server on its way listens to."""
    account = await find_account(request)
    server = find_server(account, key_of(request))
    if server is None or not server.active:
        raise NotFound("The server is not starting.")
    return stream(request.hub, server, detail=True, goal=_goal(request, server))


def _starts_at_once(request: HubRequest, account: Account) -> bool:
    """Whether a GET may start it: only where the site chose JupyterHub's way, for who came here by themselves,
    and with nothing to choose.
    """
    if request.hub.settings.landing != "spawn" or not request.actor.may(
        "start:servers", Target(user=account.person.name, server=f"{account.person.name}/")
    ):
        return False
    foreign = request.headers.get("sec-fetch-site") not in (None, "same-origin", "none")
    open_ones = request.hub.catalogue.open_to(account.person.groups)
    default = next((profile for profile in open_ones if profile.default), None)
    return default is not None and not default.options and not foreign


def spawn_page(
    request: HubRequest,
    account: Account,
    key: ServerKey,
    slug: Any,
    chosen: dict[str, Any],
    *,
    error: str = "",
) -> Spawn:
    """The form for one profile: the one named, the default one, or the first that is open."""
    groups = frozenset(account.person.groups)
    open_ones = request.hub.catalogue.open_to(groups)
    named = next((profile for profile in open_ones if profile.slug == slug), None)
    default = next((profile for profile in open_ones if profile.default), None)
    profile = named or default or (open_ones[0] if open_ones else None)
    return Spawn(
        user=key.user,
        server=key.name,
        card=card(profile, groups, chosen) if profile is not None else None,
        others=[Choice(one.slug, one.display_name or one.slug) for one in open_ones if one is not profile],
        next=local_path(request.query_params.get("next")) or "",
        error=error,
    )


async def pending_page(request: HubRequest, server: Server) -> SpawnPending:
    """What the page of a server on its way shows."""
    hub = request.hub
    told = await hub.servers.events(server)
    plan = server.plan
    profile = hub.catalogue.find(plan.profile) if plan is not None else None
    sentence = (server.reason or "").partition("\n")[0]
    return SpawnPending(
        user=server.key.user,
        server=server.key.name,
        display_name=server.display_name,
        profile=plan.title if plan is not None else "",
        icon=profile.icon if profile is not None else "",
        events=_with_next(request, hub.urls.page("progress", *server.key)),
        progress=max((event.progress for event in told), default=0),
        messages=[event.message for event in told],
        elapsed=clock.now() - (server.requested or clock.now()),
        log=await hub.runtime.logs(Ref(server.id, server.attempt), tail=TAIL),
        failed=sentence if server.failed else "",
    )


def _goal(request: HubRequest, server: Server) -> str:
    return local_path(request.query_params.get("next")) or first_page(server, request.hub.urls)


def _onward(request: HubRequest, server: Server) -> str:
    """To the app when it runs, to its progress when it is on its way, else to the form that starts it."""
    if server.ready:
        return _goal(request, server)
    kind = "spawn-pending" if server.active else "spawn"
    return _with_next(request, request.hub.urls.page(kind, *server.key))


def _pending(request: HubRequest, key: ServerKey) -> str:
    return _with_next(request, request.hub.urls.page("spawn-pending", *key))


def _with_next(request: HubRequest, path: str) -> str:
    goal = local_path(request.query_params.get("next"))
    return f"{path}?next={quote(goal, safe='/')}" if goal else path


ROUTES = [
    spawn_mine,
    start_mine,
    ask,
    start_with_options,
    start_again,
    stop,
    remove,
    pending,
    events,
]
