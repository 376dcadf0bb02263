"""What the administrators' pages share: their navigation, and how a list is searched, sorted and paged."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

import msgspec

from apphub.access.grants import Target
from apphub.audit.model import Entry as Logged
from apphub.kit.urls import local_path
from apphub.listings.model import Cursor, Part
from apphub.pages.admin_contexts import Entry, Frame, Tab
from apphub.pages.contexts import Choice
from apphub.pages.sections import sections_of
from apphub.people.model import Person
from apphub.web.request import HubRequest

#: Rows on a page.
SIZE = 50
#: The longest text that is searched for.
LONGEST = 255


def frame(
    request: HubRequest, kind: str, part: Part[Any] | None = None, orders: tuple[str, ...] = ()
) -> Frame:
    """The frame of a page; `part` is its page of a list, `orders` what that can be sorted by."""
    hub = request.hub.urls.hub
    tabs = [Tab(one.key, f"{hub}{one.path}") for one in sections_of(request.actor)]
    order = request.query_params.get("sort", "")
    return Frame(
        tabs=tabs,
        kind=kind,
        here=link(request, **dict(request.query_params)),
        search=search_of(request),
        before=_page(request, "before", part.before if part is not None else None),
        after=_page(request, "after", part.after if part is not None else None),
        order=order if order in orders else next(iter(orders), ""),
        orders=[Choice(link(request, **{**_kept(request), "sort": one}), one) for one in orders],
    )


def link(request: HubRequest, /, **query: str) -> str:
    """This page with another query."""
    path = f"{request.hub.urls.base.rstrip('/')}{request.scope['path']}"  # percent-encoded, as it came
    fields = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(fields)}" if fields else path


def search_of(request: HubRequest) -> str:
    """What is searched for."""
    return request.query_params.get("search", "").strip()[:LONGEST]


def cursor_of(request: HubRequest) -> Cursor | None:
    """Where the page begins or ends; nonsense is the first page."""
    for name in ("after", "before"):
        if text := request.query_params.get(name, "")[:2000]:
            try:
                values = msgspec.json.decode(base64.urlsafe_b64decode(text), type=list[str | int | None])
            except (ValueError, binascii.Error, msgspec.DecodeError):
                return None
            big = any(isinstance(one, int) and not -(2**63) <= one < 2**63 for one in values)
            zero = any(isinstance(one, str) and "\x00" in one for one in values)
            return None if big or zero else Cursor(tuple(values), backwards=name == "before")
    return None


def sort_of(request: HubRequest, orders: tuple[str, ...]) -> str:
    """What to sort by: one of the orders, the first when nothing is said."""
    asked = request.query_params.get("sort", "")
    return asked if asked in orders else orders[0]


def flag(request: HubRequest, name: str) -> bool:
    """Whether a filter is on."""
    return request.query_params.get(name) == "1"


def filtered(request: HubRequest, **change: str) -> str:
    """This list with a filter changed, from its first page on."""
    return link(request, **{**_kept(request), **change})


def person_target(person: Person) -> Target:
    """A user, for questions of reach."""
    return Target(user=person.name, groups=frozenset(person.groups))


def back(request: HubRequest, otherwise: str) -> str:
    """Where a form leads afterwards: the page that it was on."""
    hub = request.hub.urls.hub
    goal = local_path(request.query_params.get("next")) or ""
    return goal if goal.startswith(hub) else f"{hub}{otherwise}"


def entry(logged: Logged) -> Entry:
    """A line of the audit log."""
    return Entry(
        at=logged.at,
        actor=logged.actor,
        behalf=logged.behalf or "",
        action=logged.action,
        target=logged.target,
        before=_json(logged.before),
        after=_json(logged.after),
        address=logged.address or "",
        request_id=logged.request_id or "",
    )


def _json(value: Any) -> str:
    return "" if value is None else msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


def _kept(request: HubRequest) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name not in ("after", "before")}


def _page(request: HubRequest, name: str, cursor: Cursor | None) -> str:
    if cursor is None:
        return ""
    text = base64.urlsafe_b64encode(msgspec.json.encode(cursor.values)).decode()
    return link(request, **{**_kept(request), name: text})
