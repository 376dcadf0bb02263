"""Users: read, create, change, delete, and what they were last seen doing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from litestar import Response, delete, get, patch, post

from apphub.api.bodies import as_object, flag, moment, only, texts
from apphub.api.paging import PAGING, page_bounds, page_json, paged, wants_pages
from apphub.api.schema.bodies import Activity, ChangeUser, CreateUser, CreateUsers
from apphub.api.schema.shapes import UserModel
from apphub.api.wire import SEE_USER, user_json
from apphub.errors import Conflict, Invalid, shown
from apphub.people.model import UserExists
from apphub.servers.views import ORDERS, Page
from apphub.web.json import answer, empty
from apphub.web.needs import needs, needs_list
from apphub.web.once import once
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

STATES = ("active", "ready", "inactive")
_NO = frozenset({"0", "false"})

_STOPPED = Query(
    "include_stopped_servers", str, "Show servers that are stopped, too; `0` and `false` mean no."
)
_LISTING = (
    *PAGING,
    _STOPPED,
    Query("state", Literal[*STATES], "Only users with such servers."),
    Query("sort", Literal[*ORDERS], "The order; with a `-` the other way round."),
    Query("name_filter", str, "Only names that hold this text."),
)


def _stopped(request: HubRequest) -> bool:
    value = request.query_params.get("include_stopped_servers")
    return value is not None and value.lower() not in _NO


def _page(request: HubRequest) -> Page:
    offset, limit = page_bounds(request)
    order = request.query_params.get("sort", "id")
    if order not in ORDERS:
        raise Invalid(f"sort must be 'id', 'name', or 'last_activity', not {shown(order)}")
    state = request.query_params.get("state")
    if state is not None and state not in STATES:
        raise Invalid(f"Unrecognized state filter: {shown(state)}")
    return Page(offset, limit, order, state, request.query_params.get("name_filter"))


@get("/hub/api/users", guards=[needs_list("list:users")], opt=says({200: paged(UserModel)}, query=_LISTING))
async def list_users(request: HubRequest) -> Response[bytes]:
    """Users within reach, a page at a time."""
    page, hub, actor, reach = _page(request), request.hub, request.actor, request.reach("list:users")
    accounts = await hub.views.list_accounts(reach, page)
    stopped = _stopped(request)
    line = await hub.admission.spots_of(server for account in accounts for server in account.servers)
    models = [user_json(account, actor, hub.urls, stopped=stopped, line=line) for account in accounts]
    if not wants_pages(request):
        return answer(models)
    total = await hub.views.count_accounts(reach, page)
    return answer(page_json(request, models, page.offset, page.limit, total))


@post(
    "/hub/api/users",
    guards=[needs("admin:users", everywhere=True)],
    opt=says({201: list[UserModel]}, takes=CreateUsers, keyed=True),
)
@once
async def create_users(request: HubRequest) -> Response[bytes]:
    """Create several users; those who exist stay as they are."""
    body = await request.body_json()
    names = texts(body, "usernames") if isinstance(body, dict) else None
    if not names:
        raise Invalid("Must specify at least one user to create")
    only(body, CreateUsers)
    admin = flag(body, "admin") or False
    new, _ = await request.hub.people.create(request.actor, request.by, names, admin=admin)
    if not new:
        raise Conflict(f"All {len(names)} users already exist")
    hub, actor = request.hub, request.actor
    accounts = await hub.views.list_named(new)
    return answer([user_json(account, actor, hub.urls) for account in accounts], 201)


@get("/hub/api/users/{user:str}", guards=[needs(*SEE_USER)], opt=says({200: UserModel}, query=[_STOPPED]))
async def get_user(request: HubRequest) -> Response[bytes]:
    """One user."""
    account = await request.hub.views.account(request.segment("user"))
    line = await request.hub.admission.spots_of(account.servers)
    return answer(user_json(account, request.actor, request.hub.urls, stopped=_stopped(request), line=line))


@post(
    "/hub/api/users/{user:str}",
    guards=[needs("admin:users")],
    opt=says({201: UserModel}, takes=CreateUser | None, keyed=True),
)
@once
async def create_user(request: HubRequest) -> Response[bytes]:
    """Create one user."""
    body = await request.body_json()
    admin = False
    if body is not None:
        only(as_object(body), CreateUser)
        admin = flag(body, "admin") or False
    name = await request.hub.people.create_one(
        request.actor, request.by, request.segment("user"), admin=admin
    )
    return answer(await _model(request, name), 201)


@patch(
    "/hub/api/users/{user:str}",
    guards=[needs("admin:users")],
    opt=says({200: UserModel}, takes=ChangeUser, refuses=[409]),
)
async def change_user(request: HubRequest) -> Response[bytes]:
    """Rename a user, or make them an administrator."""
    hub, name = request.hub, request.segment("user")
    body = as_object(await request.body_json())
    only(body, ChangeUser)
    if body.get("auth_state") is not None:
        raise Invalid("auth_state is not kept by this hub")
    try:
        name = await hub.servers.change_user(
            request.actor, request.by, name, admin=flag(body, "admin"), new_name=body.get("name")
        )
    except UserExists as error:
        raise Invalid(error.message) from error
    return answer(await _model(request, name))


@delete(
    "/hub/api/users/{user:str}",
    guards=[needs("delete:users")],
    status_code=200,
    opt=says({204: None}, refuses=[400, 409, 503]),
)
async def delete_user(request: HubRequest) -> Response[bytes]:
    """Delete a user; running servers are stopped first."""
    name = request.segment("user")
    if request.actor.kind == "user" and request.actor.name == name:
        raise Invalid("Cannot delete yourself!")
    patience = request.hub.settings.timeouts.stop + request.hub.settings.timeouts.slow_stop
    await request.hub.servers.delete_user(request.by, name, patience=patience)
    return empty(204)


@post(
    "/hub/api/users/{user:str}/activity",
    guards=[needs("users:activity")],
    opt=says({200: None}, takes=Activity),
)
async def note_activity(request: HubRequest) -> Response[bytes]:
    """Servers say when they and their users were last active."""
    body = await request.body_json()
    name = request.segment("user")
    try:
        last, servers = _told(body)
    except Invalid:
        await request.hub.views.account(name)  # that nobody is called so is told first
        raise
    await request.hub.servers.note_activity(name, user=last, servers=servers)
    return empty()


def _told(body: Any) -> tuple[datetime | None, dict[str, datetime]]:
    """When the user was last active, and each of their servers."""
    if not isinstance(body, dict):
        raise Invalid("body must be a json dict")
    last, servers = body.get("last_activity"), body.get("servers")
    if last is None and not servers:
        raise Invalid("body must contain at least one of `last_activity` or `servers`")
    times = {name: moment(told) for name, told in _told_of(servers).items()}
    return None if last is None else moment(last), times


def _told_of(servers: Any) -> dict[str, Any]:
    shape = "servers must be a dict of the form {server_name: {last_activity: timestamp}}"
    if servers is None:
        return {}
    if not isinstance(servers, dict):
        raise Invalid(shape)
    for told in servers.values():
        if not isinstance(told, dict) or "last_activity" not in told:
            raise Invalid(shape)
    return {name: told["last_activity"] for name, told in servers.items()}


async def _model(request: HubRequest, name: str) -> UserModel:
    account = await request.hub.views.account(name)
    return user_json(account, request.actor, request.hub.urls)


ROUTES = [list_users, create_users, get_user, create_user, change_user, delete_user, note_activity]
