"""All profiles, and whom they are open to."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Response, get

from apphub.listings.model import Cursor, Part
from apphub.pages.admin_frame import SIZE, cursor_of, frame, search_of, sort_of
from apphub.pages.admin_profile_contexts import AdminProfiles, ProfileRow
from apphub.pages.answers import show
from apphub.pages.sections import everywhere
from apphub.people.model import Source
from apphub.profiles.model import Offer
from apphub.web.needs import needs
from apphub.web.request import HubRequest

ORDERS = ("name", "-name")


@get("/hub/admin/profiles", guards=[needs("read:profiles", everywhere=True)])
async def profiles(request: HubRequest) -> Response[bytes]:
    """A page of all profiles, at the end those that are offered no longer."""
    rows = [_row(offer) for offer in await request.hub.profiles.list_all(withdrawn=True)]
    order = sort_of(request, ORDERS)
    part = part_of(sought(rows, search_of(request), backwards=order == "-name"), cursor_of(request))
    return show(
        request,
        AdminProfiles(
            frame=frame(request, "profiles", part, ORDERS),
            profiles=part.rows,
            may_change=everywhere(request.actor, "admin:profiles"),
        ),
    )


def sought(rows: Sequence[ProfileRow], text: str, *, backwards: bool = False) -> list[ProfileRow]:
    """Those with the text in one of their names, by name: there are so few that the hub holds them all."""
    text = text.lower()
    found = [row for row in rows if text in row.name.lower() or text in row.slug]
    found.sort(key=lambda row: (row.name.lower(), row.slug), reverse=backwards)
    return sorted(found, key=lambda row: row.withdrawn is not None)


def part_of(rows: Sequence[ProfileRow], cursor: Cursor | None) -> Part[ProfileRow]:
    """The page beside a profile; the first one where there is no such profile any more."""
    places = {row.slug: place for place, row in enumerate(rows)}
    beside = places.get(str(cursor.values[0])) if cursor is not None and cursor.values else None
    if cursor is None or beside is None:
        begin = 0
    else:
        begin = max(beside - SIZE, 0) if cursor.backwards else beside + 1
    end = begin + SIZE
    return Part(
        rows[begin:end],
        Cursor((rows[begin].slug,), backwards=True) if begin and rows[begin:] else None,
        Cursor((rows[end - 1].slug,)) if end < len(rows) else None,
    )


def _row(offer: Offer) -> ProfileRow:
    profile = offer.profile
    return ProfileRow(
        slug=offer.slug,
        name=profile.display_name or offer.slug,
        icon=profile.icon,
        version=offer.version,
        declared=offer.source is Source.SETTINGS,
        default=profile.default,
        whom=tuple(dict.fromkeys(binding.whom for binding in offer.bindings)),
        withdrawn=offer.withdrawn,
    )


ROUTES = [profiles]
