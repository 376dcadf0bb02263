"""Pages of lists: a bare list, or with its place among all when the client asks by media type."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from msgspec import Meta

from apphub.api.schema.shapes import Page
from apphub.errors import Invalid
from apphub.web.request import NAMELESS, HubRequest
from apphub.web.says import Query

#: Asked for in `Accept`.
MEDIA_TYPE = "application/jupyterhub-pagination+json"
#: Items on a page when nothing is said, and at most.
DEFAULT, MOST = 50, 200

_Number = Annotated[int, Meta(gt=-(2**31), lt=2**31)]
#: What a list takes in its query.
PAGING = (
    Query("offset", _Number, "How many items to leave out before the first."),
    Query("limit", _Number, f"How many items at most; never more than {MOST}."),
)


def paged(item: Any) -> Any:
    """The type of a list: bare, or as a page when `Accept` asks for pages."""
    return list[item] | Page[list[item]]


def page_bounds(request: HubRequest, *, default: int = DEFAULT) -> tuple[int, int]:
    """Offset and limit of the query. A limit of 0 or less counts as JupyterHub counts it: 1, or its size."""
    try:
        offset = int(request.query_params.get("offset", "0"))
        limit = int(request.query_params.get("limit", str(default)))
    except ValueError:
        raise Invalid("Invalid argument type, offset and limit must be integers") from None
    if not -(2**31) < offset < 2**31 or not -(2**31) < limit < 2**31:
        raise Invalid("offset and limit are out of bounds")
    return max(offset, 0), min(max(abs(limit), 1), MOST)


def wants_pages(request: HubRequest) -> bool:
    """Whether the client wants to know where the page stands."""
    return MEDIA_TYPE in (request.header(b"accept") or "")


def page_json(request: HubRequest, items: Any, offset: int, limit: int, total: int) -> dict[str, Any]:
    """The items with their place among `total`, and where to go on."""
    after = offset + limit
    following = None
    if after < total:
        query = [
            (key, value)
            for key, value in request.query_params.multi_items()
            if key not in ("offset", "limit")
        ]
        query += [("limit", str(limit)), ("offset", str(after))]
        # On the way the client came: one beside the hub may not reach the public address.
        path = f"{request.hub.urls.base.rstrip('/')}{request.scope['path'].rstrip(NAMELESS)}"
        following = {
            "offset": after,
            "limit": limit,
            "url": f"{request.asked_origin}{path}?{urlencode(query)}",
        }
    place = {"offset": offset, "limit": limit, "total": total, "next": following}
    return {"items": items, "_pagination": place}
