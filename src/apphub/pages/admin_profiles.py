"""All profiles, and whom they are open to."""

from __future__ import annotations

from litestar import Response, get

from apphub.pages.admin_frame import frame
from apphub.pages.admin_profile_contexts import AdminProfiles, ProfileRow
from apphub.pages.answers import show
from apphub.pages.sections import everywhere
from apphub.people.model import Source
from apphub.profiles.model import Offer
from apphub.web.needs import needs
from apphub.web.request import HubRequest


@get("/hub/admin/profiles", guards=[needs("read:profiles", everywhere=True)])
async def profiles(request: HubRequest) -> Response[bytes]:
    """Every profile, also those that are offered no longer."""
    offers = await request.hub.profiles.list_all(withdrawn=True)
    offers.sort(key=lambda offer: offer.withdrawn is not None)
    return show(
        request,
        AdminProfiles(
            frame=frame(request, "profiles"),
            profiles=[_row(offer) for offer in offers],
            may_change=everywhere(request.actor, "admin:profiles"),
        ),
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
