"""The audit log, to look through."""

from __future__ import annotations

from litestar import Response, get

from apphub.audit.model import ACTIONS, Search
from apphub.errors import Invalid
from apphub.pages.admin_contexts import AdminAudit, Frame
from apphub.pages.admin_frame import SIZE, entry, frame, link
from apphub.pages.answers import renderer, show
from apphub.web.auditing import search_of, whole_number
from apphub.web.needs import needs
from apphub.web.request import HubRequest

#: What can be chosen: whole nouns, then single actions.
CHOICES = tuple(sorted({*ACTIONS, *(name.partition(".")[0] for name in ACTIONS)}))
_FIELDS = ("actor", "target", "action", "from", "to")


@get("/hub/admin/audit", guards=[needs("read:audit", everywhere=True)])
async def audit(request: HubRequest) -> Response[bytes]:
    """Entries that match, the newest first."""
    query, hub, error = request.query_params, request.hub, ""
    try:
        search, before = search_of(query), whole_number(query, "before")
    except Invalid as wrong:
        search, before, error = Search(), None, str(wrong)
    entries = [] if error else await hub.audit.find(search, before=before, limit=SIZE + 1)
    kept = {name: query.get(name, "")[:600] for name in _FIELDS}
    older = link(request, **kept, before=str(entries[SIZE - 1].id)) if len(entries) > SIZE else ""
    around = frame(request, "audit")
    page = AdminAudit(
        frame=Frame(
            tabs=around.tabs,
            kind="audit",
            here=around.here,
            before=link(request, **kept) if before is not None else "",
            after=older,
        ),
        entries=[entry(one) for one in entries[:SIZE]],
        actor=kept["actor"],
        target=kept["target"],
        action=kept["action"],
        since=kept["from"],
        until=kept["to"],
        actions=CHOICES,
        export=renderer(hub.urls.base).hub("api", "audit", "export", **kept),
        error=error,
    )
    return show(request, page, status=400 if error else 200)


ROUTES = [audit]
