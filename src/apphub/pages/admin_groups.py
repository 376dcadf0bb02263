"""Groups: the list, and the editor of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

import msgspec
from litestar import Response, get, post

from apphub.access.grants import Target
from apphub.errors import HubError, Invalid
from apphub.listings.model import Ask, AskNamed, NameOrder
from apphub.pages.admin_contexts import AdminGroup, AdminGroups, GroupRow, MemberRow
from apphub.pages.admin_frame import SIZE, cursor_of, frame, search_of, sort_of
from apphub.pages.answers import language, redirect, renderer, show
from apphub.pages.contexts import Choice
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.sections import everywhere
from apphub.people.model import Source
from apphub.web.errors import status_of
from apphub.web.needs import beyond_own, manages, needs
from apphub.web.request import HubRequest

ORDERS: tuple[str, ...] = get_args(NameOrder)
PATH = "/hub/admin/groups/{group:str}"


@get("/hub/admin/groups", guards=[manages("list:groups")])
async def groups(request: HubRequest) -> Response[bytes]:
    """A page of groups within reach."""
    return show(request, await _list(request))


@post("/hub/admin/groups", guards=[needs("admin:groups", everywhere=True)])
async def create(request: HubRequest) -> Response[bytes]:
    """Make a group."""
    form = await Form.of(request)
    name = form.text("name")
    try:
        await request.hub.people.create_group(request.actor, request.by, name, members=(), properties={})
    except HubError as error:
        return show(request, await _list(request, name, str(error)), status=status_of(error))
    return redirect(_path(request, name))


@get(PATH, guards=[needs("list:groups")])
async def group(request: HubRequest) -> Response[bytes]:
    """A group with a page of its members."""
    return show(request, await _one(request))


@post(f"{PATH}/add", guards=[needs("groups")])
async def add(request: HubRequest) -> Response[bytes]:
    """Add the people whose names were typed: all, or none."""
    form, name = await Form.of(request), request.segment("group")
    text = form.text("names")
    names = text.replace(",", " ").split()
    try:
        if not names:
            raise Invalid(gettext(language(request), "Type at least one name."))
        await request.hub.people.add_members(request.actor, request.by, name, names)
    except HubError as error:
        return show(request, await _one(request, text, str(error)), status=status_of(error))
    return redirect(_path(request, name))


@post(f"{PATH}/remove", guards=[needs("groups")])
async def remove(request: HubRequest) -> Response[bytes]:
    """Take the members out that were ticked."""
    form, name = await Form.of(request), request.segment("group")
    names = form.texts("user")
    try:
        if not names:
            raise Invalid(gettext(language(request), "Tick whom to take out."))
        await request.hub.people.remove_members(request.by, name, names)
    except HubError as error:
        return show(request, await _one(request, error=str(error)), status=status_of(error))
    return redirect(_path(request, name))


@post(f"{PATH}/delete", guards=[needs("delete:groups")])
async def delete(request: HubRequest) -> Response[bytes]:
    """Delete a group."""
    await Form.of(request)
    try:
        await request.hub.people.delete_group(request.by, request.segment("group"))
    except HubError as error:
        return show(request, await _one(request, error=str(error)), status=status_of(error))
    return redirect(f"{request.hub.urls.hub}admin/groups")


def _path(request: HubRequest, name: str) -> str:
    return renderer(request.hub.urls.base).hub("admin", "groups", name)


async def _list(request: HubRequest, name: str = "", error: str = "") -> AdminGroups:
    actor, hub = request.actor, request.hub
    ask = AskNamed(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=SIZE,
        order=cast("NameOrder", sort_of(request, ORDERS)),
    )
    part = await hub.listings.groups(request.reach("list:groups"), ask)
    opened = _opened(request)
    rows = []
    for line in part.rows:
        target = Target(group=line.name)
        rows.append(
            GroupRow(
                name=line.name,
                members=line.members if actor.may("read:groups", target) else 0,
                roles=line.roles if actor.may("read:roles:groups", target) else (),
                profiles=[choice.label for choice in opened.get(line.name, ())],
                declared=line.source is Source.SETTINGS,
            )
        )
    return AdminGroups(
        frame=frame(request, "groups", part, ORDERS),
        groups=rows,
        may_create=everywhere(actor, "admin:groups"),
        name=name,
        error=error,
    )


async def _one(request: HubRequest, names: str = "", error: str = "") -> AdminGroup:
    actor, hub, name = request.actor, request.hub, request.segment("group")
    line, properties = await hub.listings.group(name)
    target = Target(group=name)
    reads = actor.may("read:groups", target)
    ask = Ask(search=search_of(request), cursor=cursor_of(request), limit=SIZE)
    part = await hub.listings.members(line.id, ask) if reads else None
    return AdminGroup(
        frame=frame(request, "groups", part),
        name=name,
        count=line.members if reads else 0,
        members=[
            MemberRow(name=one.name, last_activity=None, declared=one.declared)
            for one in (part.rows if part is not None else ())
        ],
        roles=line.roles if actor.may("read:roles:groups", target) else (),
        profiles=_opened(request).get(name, ()),
        properties=(
            msgspec.json.format(msgspec.json.encode(properties), indent=2).decode()
            if reads and properties
            else ""
        ),
        declared=line.source is Source.SETTINGS,
        may_fill=actor.may("groups", target),
        may_delete=actor.may("delete:groups", target),
        may_users=beyond_own(actor, "list:users"),
        names=names,
        error=error,
    )


def _opened(request: HubRequest) -> Mapping[str, list[Choice]]:
    """The profiles that each group opens, for those who may know all profiles."""
    found: dict[str, list[Choice]] = {}
    if everywhere(request.actor, "read:profiles"):
        for profile in request.hub.catalogue.all():
            choice = Choice(profile.slug, profile.display_name or profile.slug)
            for one in profile.groups if isinstance(profile.groups, tuple) else ():
                found.setdefault(one, []).append(choice)
    return found


ROUTES = [groups, create, group, add, remove, delete]
