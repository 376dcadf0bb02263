"""Groups: read, create, delete, members, properties."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Response, delete, get, post, put

from apphub.api.bodies import as_object, mapping, only
from apphub.api.paging import PAGING, page_bounds, page_json, paged, wants_pages
from apphub.api.schema.bodies import CreateGroup, CreateGroups, Members
from apphub.api.schema.shapes import GroupModel
from apphub.api.wire import group_json
from apphub.errors import Invalid, shown
from apphub.people import groups as groups_store
from apphub.web.json import answer, empty
from apphub.web.needs import needs, needs_list
from apphub.web.once import once
from apphub.web.request import HubRequest
from apphub.web.says import says


@get("/hub/api/groups", guards=[needs_list("list:groups")], opt=says({200: paged(GroupModel)}, query=PAGING))
async def list_groups(request: HubRequest) -> Response[bytes]:
    """Groups within reach, a page at a time."""
    offset, limit = page_bounds(request)
    reach = request.reach("list:groups")
    async with request.hub.db.read() as tx:
        groups = await groups_store.list_groups(tx, reach, offset=offset, limit=limit)
        models = [group_json(group, request.actor) for group in groups]
        if not wants_pages(request):
            return answer(models)
        total = await groups_store.count_groups(tx, reach)
    return answer(page_json(request, models, offset, limit, total))


@post(
    "/hub/api/groups",
    guards=[needs("admin:groups", everywhere=True)],
    opt=says({201: list[GroupModel]}, takes=CreateGroups, keyed=True),
)
@once
async def create_groups(request: HubRequest) -> Response[bytes]:
    """Create several groups, all or none."""
    body = await request.body_json()
    names = body.get("groups") if isinstance(body, dict) else None
    if not names:
        raise Invalid("Must specify at least one group to create")
    only(body, CreateGroups)
    if not isinstance(names, list) or len(names) > 10_000:
        raise Invalid(f"groups must be a list of names, not {shown(names)}")
    members = _members(body) or []
    wanted = {_name(name): members for name in names}
    groups = await request.hub.people.create_groups(request.actor, request.by, wanted)
    return answer([group_json(group, request.actor) for group in groups], 201)


@get(
    "/hub/api/groups/{group:str}",
    guards=[needs("read:groups", "read:groups:name", "read:roles:groups")],
    opt=says({200: GroupModel}),
)
async def get_group(request: HubRequest) -> Response[bytes]:
    """One group."""
    return answer(await _model(request, request.segment("group")))


@post(
    "/hub/api/groups/{group:str}",
    guards=[needs("admin:groups")],
    opt=says({201: GroupModel}, takes=CreateGroup | None, keyed=True),
)
@once
async def create_group(request: HubRequest) -> Response[bytes]:
    """Create one group, perhaps with members and properties."""
    body = await request.body_json()
    body = {} if body is None else as_object(body)
    only(body, CreateGroup)
    properties = mapping(body, "properties")
    name = request.segment("group")
    group = await request.hub.people.create_group(
        request.actor, request.by, name, members=_members(body) or [], properties=properties
    )
    return answer(group_json(group, request.actor), 201)


@delete(
    "/hub/api/groups/{group:str}",
    guards=[needs("delete:groups")],
    status_code=200,
    opt=says({204: None}, refuses=[409]),
)
async def delete_group(request: HubRequest) -> Response[bytes]:
    """Delete one group."""
    await request.hub.people.delete_group(request.by, request.segment("group"))
    return empty(204)


@post(
    "/hub/api/groups/{group:str}/users", guards=[needs("groups")], opt=says({200: GroupModel}, takes=Members)
)
async def add_members(request: HubRequest) -> Response[bytes]:
    """Add people to a group."""
    name, members = await _change(request, "add")
    group = await request.hub.people.add_members(request.actor, request.by, name, members)
    return answer(group_json(group, request.actor))


@delete(
    "/hub/api/groups/{group:str}/users",
    guards=[needs("groups")],
    status_code=200,
    opt=says({200: GroupModel}, takes=Members, refuses=[409]),
)
async def remove_members(request: HubRequest) -> Response[bytes]:
    """Remove people from a group; the names are in the body."""
    name, members = await _change(request, "remove")
    group = await request.hub.people.remove_members(request.by, name, members)
    return answer(group_json(group, request.actor))


@put(
    "/hub/api/groups/{group:str}/properties",
    guards=[needs("groups")],
    opt=says({200: GroupModel}, takes=dict[str, Any], refuses=[409]),
)
async def set_properties(request: HubRequest) -> Response[bytes]:
    """Replace a group's properties."""
    name = request.segment("group")
    async with _of_group(request, name):
        properties = await request.body_json()
        if not isinstance(properties, dict):
            raise Invalid("Must specify properties")
    group = await request.hub.people.set_properties(request.by, name, properties)
    return answer(group_json(group, request.actor))


async def _change(request: HubRequest, verb: str) -> tuple[str, list[Any]]:
    name = request.segment("group")
    async with _of_group(request, name):
        body = as_object(await request.body_json())
        only(body, Members)
        members = _members(body)
        if members is None:
            raise Invalid(f"Must specify users to {verb}")
    return name, members


@asynccontextmanager
async def _of_group(request: HubRequest, name: str) -> AsyncGenerator[None]:
    """What is wrong with a body matters only where the group exists: 404 comes first."""
    try:
        yield
    except Invalid:
        await _model(request, name)
        raise


def _members(body: dict[str, Any]) -> list[Any] | None:
    members = body.get("users")
    if members is not None and (not isinstance(members, list) or len(members) > 100_000):
        raise Invalid(f"group.users must be a list of names, not {shown(members)}")
    return members


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise Invalid(f"A group's name is a text, not {shown(name)}")
    return name


async def _model(request: HubRequest, name: str) -> GroupModel:
    async with request.hub.db.read() as tx:
        group = await groups_store.get_group(tx, name)
    return group_json(group, request.actor)


ROUTES = [
    list_groups,
    create_groups,
    get_group,
    create_group,
    delete_group,
    add_members,
    remove_members,
    set_properties,
]
