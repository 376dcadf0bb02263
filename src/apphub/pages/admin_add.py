"""Add many users at once: pasted or read from a file, looked at first, then all in one transaction."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.errors import HubError
from apphub.pages.admin_contexts import AdminAdd, NewLine
from apphub.pages.admin_frame import frame
from apphub.pages.answers import language, redirect, show
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.people.bulk import Line, judged, read_lines
from apphub.web.errors import status_of
from apphub.web.needs import needs
from apphub.web.request import HubRequest

#: Lines that are shown; those that are wrong come first.
SHOWN = 500


@get("/hub/admin/add", guards=[needs("admin:users", everywhere=True)])
async def ask(request: HubRequest) -> Response[bytes]:
    """The form."""
    return show(request, AdminAdd(frame=frame(request, "users")))


@post("/hub/admin/add", guards=[needs("admin:users", everywhere=True)])
async def add(request: HubRequest) -> Response[bytes]:
    """Show what the lines come to; add them, once they have been looked at and nothing is wrong."""
    form, tongue = await Form.of(request), language(request)
    text = form.text("text")
    try:
        lines = await _judged(request, read_lines(text))
        wrong = sum(bool(line.problem) for line in lines)
        if form.text("do") == "add" and lines and not wrong:
            await request.hub.people.create_many(request.actor, request.by, lines)
            return redirect(f"{request.hub.urls.hub}admin?sort=-created")
    except HubError as error:
        page = AdminAdd(frame=frame(request, "users"), text=text, error=str(error))
        return show(request, page, status=status_of(error))
    known = gettext(tongue, "Is there already: only added to the groups.")
    page = AdminAdd(
        frame=frame(request, "users"),
        text=text,
        lines=[
            NewLine(
                number=line.number,
                name=line.name,
                groups=line.groups,
                admin=line.admin,
                problem=line.problem,
                note=known if line.known else "",
            )
            for line in sorted(lines, key=lambda one: (not one.problem, one.number))[:SHOWN]
        ],
        wrong=wrong,
        checked=True,
        error="" if lines else gettext(tongue, "There is nobody in it."),
    )
    return show(request, page, status=400 if wrong or not lines else 200)


async def _judged(request: HubRequest, lines: list[Line]) -> list[Line]:
    names = [line.name for line in lines]
    groups = sorted({group for line in lines for group in line.groups})
    taken, known = await request.hub.listings.known(names, groups)
    fillable = {group for group in known if _may_fill(request.actor, group)}
    return judged(lines, taken, fillable)


def _may_fill(actor: Actor, group: str) -> bool:
    return actor.may("groups", Target(group=group))


ROUTES = [ask, add]
