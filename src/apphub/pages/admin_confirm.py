"""Which of many a bulk action is about, and the question before they are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from litestar import Response

from apphub.pages.admin_contexts import AdminConfirm
from apphub.pages.admin_frame import frame
from apphub.pages.answers import show
from apphub.pages.forms import Form
from apphub.web.request import HubRequest

#: How many are named in the question.
NAMED = 20
#: What a form says of the list that it is below, when it is about all that match.
SEARCH = ("search", "in", "active", "profile")


def ticked(form: Form, field: str) -> list[str]:
    """The names that a form lists, or that were ticked."""
    text = form.text("names")
    return text.splitlines() if text else form.texts(field)


def asks_for_all(form: Form) -> bool:
    """Whether it is about all that match the search, and not only the ticked ones."""
    return form.text("all") == "1"


def question(
    request: HubRequest, form: Form, what: Literal["users", "servers"], names: Sequence[str]
) -> Response[bytes] | None:
    """The page that asks before these are deleted; None when it has been answered for just as many."""
    sure = form.text("do") == "really-delete"
    if sure and form.text("count") == str(len(names)):
        return None
    chosen = (
        [("all", "1"), *((name, form.text(name)) for name in SEARCH if form.text(name))]
        if asks_for_all(form)
        else [("names", "\n".join(names))]
    )
    page = AdminConfirm(
        frame=frame(request, what),
        what=what,
        fields=chosen,
        count=len(names),
        some=names[:NAMED],
        changed=sure,
        back=f"{request.hub.urls.hub}admin{'/servers' if what == 'servers' else ''}",
    )
    return show(request, page)
