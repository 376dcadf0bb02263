"""The log of who did what, to read and to take away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from litestar import Response, get
from litestar.response import Stream

from apphub.api.paging import DEFAULT, MOST
from apphub.api.schema.shapes import AuditEntry, AuditPage
from apphub.audit.actions import Audit
from apphub.audit.model import ACTIONS, Entry, Search
from apphub.web.auditing import search_of, whole_number
from apphub.web.json import answer
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

LINES = "application/x-ndjson"

_SEARCH = (
    Query("actor", str, "Who did it, or on whose behalf: `user:ada`, `service:culler`, `hub`, `settings`."),
    Query(
        "target", str, "What it was done to: `user:ada`, `group:analysts`, `server:ada/lab`, `profile:lab`."
    ),
    Query("action", str, f"One of {', '.join(f'`{name}`' for name in ACTIONS)}; `group` for all of groups."),
    Query("from", str, "The first moment that counts: `2030-12-31`, or with a time, ISO 8601; UTC."),
    Query("to", str, "The first moment that counts no longer."),
    Query("request", str, "The id of the request, as its answer had it in `X-Request-Id`."),
)
_PAGE = (
    Query("before", int, "Go on from this id: the `next` of the page before."),
    Query("limit", int, f"How many entries at most; never more than {MOST}."),
)


@get(
    "/hub/api/audit",
    guards=[needs("read:audit", everywhere=True)],
    opt=says({200: AuditPage}, query=[*_SEARCH, *_PAGE], refuses=[400]),
)
async def list_entries(request: HubRequest) -> Response[bytes]:
    """Entries that match, the newest first, a page at a time."""
    limit = min(max(whole_number(request.query_params, "limit") or DEFAULT, 1), MOST)
    entries = await request.hub.audit.find(
        search_of(request.query_params), before=whole_number(request.query_params, "before"), limit=limit
    )
    after = entries[-1].id if len(entries) == limit else None
    return answer({"entries": [entry_json(entry) for entry in entries], "next": after})


@get(
    "/hub/api/audit/export",
    guards=[needs("read:audit", everywhere=True)],
    opt=says({200: LINES}, query=_SEARCH, refuses=[400]),
)
async def export(request: HubRequest) -> Stream:
    """All entries that match, the newest first, as JSON Lines: one object per line."""
    headers = {"content-disposition": 'attachment; filename="audit.jsonl"', "cache-control": "no-store"}
    return Stream(
        _lines(request.hub.audit, search_of(request.query_params)), media_type=LINES, headers=headers
    )


async def _lines(audit: Audit, search: Search) -> AsyncIterator[bytes]:
    encoder = msgspec.json.Encoder()
    async for entries in audit.all(search):
        yield encoder.encode_lines([entry_json(entry) for entry in entries])


def entry_json(entry: Entry) -> AuditEntry:
    """One line of the log."""
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": entry.actor,
        "on_behalf_of": entry.behalf,
        "action": entry.action,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "request_id": entry.request_id,
    }


ROUTES = [list_entries, export]
