"""The list of users, and what is done to many of them."""

from __future__ import annotations

from typing import cast, get_args

from litestar import Response, get, post

from apphub.access.actor import Actor, ScopeMissing
from apphub.errors import Invalid
from apphub.jobs.model import MOST, Kind
from apphub.listings.model import AskNamed, AskUsers, UserLine, UserOrder
from apphub.pages.admin_confirm import asks_for_all, question, ticked
from apphub.pages.admin_contexts import AdminUsers, UserRow
from apphub.pages.admin_frame import (
    SIZE,
    cursor_of,
    filtered,
    flag,
    frame,
    person_target,
    search_of,
    sort_of,
)
from apphub.pages.answers import language, redirect, show
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.sections import everywhere, sections_of
from apphub.web.needs import beyond_own, manages, visitor
from apphub.web.request import HubRequest

ORDERS: tuple[str, ...] = get_args(UserOrder)
#: Groups that are offered to put people into; with more, the group's own page is the way.
OFFERED = 200


def _ask(request: HubRequest) -> AskUsers:
    return AskUsers(
        search=search_of(request),
        cursor=cursor_of(request),
        limit=SIZE,
        order=cast("UserOrder", sort_of(request, ORDERS)),
        group=request.query_params.get("group", "")[:255],
        active=flag(request, "active"),
    )


@get("/hub/admin", guards=[visitor()])
async def users(request: HubRequest) -> Response[bytes]:
    """A page of users within reach; who may not list users is shown the first page that is open to them."""
    actor, hub = request.actor, request.hub
    if not beyond_own(actor, "list:users"):
        tabs = sections_of(actor)
        if not tabs:
            raise ScopeMissing("list:users")
        return redirect(f"{hub.urls.hub}{tabs[0].path}")
    ask = _ask(request)
    part = await hub.listings.users(request.reach("list:users"), ask)
    fillable = (
        await hub.listings.groups(request.reach("groups"), AskNamed(limit=OFFERED)) if _fills(actor) else None
    )
    return show(
        request,
        AdminUsers(
            frame=frame(request, "users", part, ORDERS),
            users=[row(actor, line) for line in part.rows],
            group=ask.group,
            active=ask.active,
            all_path=filtered(request, active="", group=""),
            active_path=filtered(request, active="1"),
            may_add=everywhere(actor, "admin:users"),
            may_stop=beyond_own(actor, "delete:servers"),
            may_delete=beyond_own(actor, "delete:users"),
            groups=[line.name for line in fillable.rows] if fillable is not None else (),
        ),
    )


@post("/hub/admin/users/bulk", guards=[manages("list:users")])
async def bulk(request: HubRequest) -> Response[bytes]:
    """Begin a bulk action on the users that were ticked, or on all that the list holds."""
    form = await Form.of(request)
    names = await _chosen(request, form)
    if form.text("do") in ("delete", "really-delete") and (asked := question(request, form, "users", names)):
        return asked
    kinds = {"stop": Kind.STOP_ALL, "add": Kind.ADD, "really-delete": Kind.DELETE}
    kind = kinds.get(form.text("do"))
    if kind is None:
        raise Invalid(gettext(language(request), "Choose what to do."))
    group = form.text("group") if kind is Kind.ADD else ""
    if kind is Kind.ADD and not group:
        raise Invalid(gettext(language(request), "Choose a group."))
    job = await request.hub.jobs.begin(request.actor, request.by, kind, names, target=group)
    return redirect(f"{request.hub.urls.hub}admin/jobs/{job}")


async def _chosen(request: HubRequest, form: Form) -> list[str]:
    """The names that a form is about; those out of reach are refused when their turn comes."""
    if asks_for_all(form):
        asked = AskUsers(search=form.text("search"), group=form.text("in"), active=form.text("active") == "1")
        return await request.hub.listings.user_names(request.reach("list:users"), asked, most=MOST + 1)
    return ticked(form, "user")


def _fills(actor: Actor) -> bool:
    return beyond_own(actor, "groups")


def row(actor: Actor, line: UserLine) -> UserRow:
    """A user, as far as this reader may look."""
    person = line.person
    target = person_target(person)
    return UserRow(
        name=person.name,
        admin=person.admin and actor.may("read:users:name", target),
        groups=person.groups if actor.may("read:users:groups", target) else (),
        last_activity=person.last_activity if actor.may("read:users:activity", target) else None,
        running=line.running if actor.may("read:servers", target) else 0,
    )


ROUTES = [users, bulk]
