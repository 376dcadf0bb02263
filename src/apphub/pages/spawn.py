"""Start a server and stop it."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from apphub.access.grants import Target
from apphub.errors import Invalid, LimitReached
from apphub.kit.urls import segment
from apphub.pages.addressed import (
    asked,
    back_of,
    find_account,
    find_server,
    key_of,
    onward,
    paths,
    pending_path,
)
from apphub.pages.answers import language, redirect, show
from apphub.pages.cards import card
from apphub.pages.contexts import Choice, Spawn
from apphub.pages.forms import PREFIX, Form
from apphub.pages.home import last_options
from apphub.pages.said import say
from apphub.profiles.model import PROFILE
from apphub.servers.model import AlreadyRunning, Ask, ServerKey, parse_server_name
from apphub.servers.views import Account
from apphub.settings import Profile
from apphub.web.errors import status_of
from apphub.web.json import answer
from apphub.web.needs import needs, visitor
from apphub.web.request import HubRequest


@get("/hub/spawn", guards=[visitor()])
async def spawn_mine(request: HubRequest) -> Response[bytes]:
    """My default server: opened, shown on its way, or started."""
    account = await request.hub.views.account(request.actor.name)
    server = account.server("")
    if server is not None and server.active:
        return redirect(onward(request, server))
    if _starts_at_once(request, account):
        server = await request.hub.servers.start(request.by, ServerKey(request.actor.name, ""), Ask())
        return redirect(pending_path(request, server.key))
    query = request.scope["query_string"].decode("latin-1")
    path = request.hub.urls.page("spawn", request.actor.name)
    return redirect(f"{path}?{query}" if query else path)


@post("/hub/spawn", guards=[visitor()])
async def start_mine(request: HubRequest) -> Response[bytes]:
    """Start my default server with the choices of a form."""
    request.path_params["user"] = segment(request.actor.name)
    request.actor.demand(Target(user=request.actor.name), "start:servers")
    return await start_from_form(request)


@get(paths("spawn"), guards=[needs("start:servers", of_server=True)])
async def ask(request: HubRequest) -> Response[bytes]:
    """The form that starts a server; one that runs already is opened, one on its way is shown."""
    key = key_of(request)
    account = await find_account(request)
    server = find_server(account, key)
    if server is not None and server.active:
        return redirect(onward(request, server))
    last = dict(server.options or {}) if server is not None else {}
    slug = request.query_params.get("profile") or last.get(PROFILE)
    if last.get(PROFILE) != slug and isinstance(slug, str):
        last = last_options(account, slug)
    return show(request, spawn_page(request, account, key, slug, last))


@post(paths("spawn"), guards=[needs("start:servers", of_server=True)])
async def start_with_options(request: HubRequest) -> Response[bytes]:
    """Start a server with the choices of the form."""
    return await start_from_form(request)


async def start_from_form(request: HubRequest) -> Response[bytes]:
    """Start the server that the path names, as the form says."""
    form, key = await Form.of(request), key_of(request)
    profile = request.hub.catalogue.find(form.text("profile"))
    sent: dict[str, Any] = {PROFILE: form.text("profile")} if form.text("profile") else {}
    try:
        if not key.name and (name := form.text("server_name")):
            key = await _named(request, name)
        if profile is not None:
            sent |= form.options(profile, language(request))
        server = await request.hub.servers.start(request.by, key, Ask(options=sent))
    except (Invalid, LimitReached) as error:
        account = await find_account(request)
        why = say(language(request), " ".join(filter(None, (error.message, error.advice))))
        page = spawn_page(request, account, key, form.text("profile"), sent, error=why)
        return show(request, page, status=status_of(error))
    return redirect(pending_path(request, server.key))


async def _named(request: HubRequest, name: str) -> ServerKey:
    """A server that the form names, not the path: whoever may start the path's may not start every other."""
    account = await find_account(request)
    key = ServerKey(account.person.name, parse_server_name(name))
    target = Target(user=key.user, groups=frozenset(account.person.groups), server=str(key))
    request.actor.demand(target, "start:servers")
    return key


@post(paths("start"), guards=[needs("start:servers", of_server=True)])
async def start_again(request: HubRequest) -> Response[bytes]:
    """Start a server with what it was last started with; one that runs already is opened."""
    await Form.of(request)
    key = key_of(request)
    try:
        server = await request.hub.servers.start(request.by, key, Ask())
    except AlreadyRunning:
        found = await request.hub.servers.find(key)
        return redirect(onward(request, found) if found is not None else back_of(request))
    return redirect(pending_path(request, server.key))


@post(paths("stop"), guards=[needs("delete:servers", of_server=True)])
async def stop(request: HubRequest) -> Response[bytes]:
    """Stop a server and go home, or back to the page that asked for it."""
    await Form.of(request)
    hub = request.hub
    server = await hub.servers.stop(request.by, key_of(request))
    if server is not None:
        await hub.servers.stopped(
            server, min(hub.settings.timeouts.slow_stop, hub.settings.timeouts.slow_spawn)
        )
    return redirect(back_of(request))


@post(paths("check"), guards=[needs("start:servers", of_server=True)], status_code=200)
async def check(request: HubRequest) -> Response[bytes]:
    """What stands in the way of starting what the form says, without starting it; for scripts."""
    form, key, tongue = await Form.of(request), key_of(request), language(request)
    slug = form.text("profile")
    profile = request.hub.catalogue.find(slug)
    try:
        if not key.name and (name := form.text("server_name")):
            key = await _named(request, name)
    except Invalid as error:
        return answer({"problems": [_problem(tongue, "server_name", error.message, error.advice)]})
    try:
        options = form.options(profile, tongue) if profile is not None else {}
        found, _ = await request.hub.servers.would_start(key, slug, options)
    except Invalid as error:
        return answer({"problems": [_problem(tongue, "", error.message, error.advice)]})
    problems = [
        _problem(tongue, _field_of(one.rule, one.message, profile), one.message, one.advice) for one in found
    ]
    return answer({"problems": problems})


def _field_of(rule: str, message: str, profile: Profile | None) -> str:
    """The field that a refusal is about; empty for the form as a whole."""
    if rule in ("server", "servers"):
        return "server_name"
    names = profile.options if rule == "options" and profile is not None else ()
    return next((f"{PREFIX}{name}" for name in names if message.startswith(f"The option {name} ")), "")


def _problem(tongue: str, field: str, message: str, advice: str | None) -> dict[str, str]:
    return {"field": field, "message": say(tongue, f"{message} {advice}" if advice else message)}


def _starts_at_once(request: HubRequest, account: Account) -> bool:
    """Whether a GET may start it: only where the site chose JupyterHub's way, for who came here by themselves,
    and with nothing to choose.
    """
    if request.hub.settings.landing != "spawn" or not request.actor.may(
        "start:servers", Target(user=account.person.name, server=f"{account.person.name}/")
    ):
        return False
    foreign = request.headers.get("sec-fetch-site") not in (None, "same-origin", "none")
    open_ones = request.hub.catalogue.open_to(account.person)
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
    open_ones = request.hub.catalogue.open_to(account.person)
    named = next((profile for profile in open_ones if profile.slug == slug), None)
    default = next((profile for profile in open_ones if profile.default), None)
    profile = named or default or (open_ones[0] if open_ones else None)
    return Spawn(
        user=key.user,
        server=key.name,
        card=card(profile, language(request), chosen) if profile is not None else None,
        others=[Choice(one.slug, one.display_name or one.slug) for one in open_ones if one is not profile],
        next=asked(request),
        back=back_of(request),
        check=request.hub.urls.page("check", *key),
        error=error,
    )


ROUTES = [
    spawn_mine,
    start_mine,
    ask,
    start_with_options,
    start_again,
    stop,
    check,
]
