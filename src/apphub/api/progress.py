"""Progress of a start, for programs."""

from __future__ import annotations

from litestar import get
from litestar.response import Stream

from apphub.api.schema.shapes import Failed, Output, Ready, Step
from apphub.api.servers import find_in_path
from apphub.errors import NotFound
from apphub.web.needs import needs
from apphub.web.progress import stream
from apphub.web.request import HubRequest
from apphub.web.says import Events, Query, says

_USER = "/hub/api/users/{user:str}"


@get(
    [f"{_USER}/server/progress", f"{_USER}/servers/{{server:str}}/progress"],
    guards=[needs("read:servers")],
    opt=says(
        {200: Events(Step | Ready | Failed | Output)},
        query=[Query("detail", str, "Anything: send the latest output of the server, too.")],
        refuses=[400],
    ),
)
async def progress(request: HubRequest) -> Stream:
    """Server-sent events until the server is ready or has failed; `?detail=1` adds its latest output."""
    server = await find_in_path(request)
    if not server.active:
        raise NotFound("The server is not starting.")
    return stream(request.hub, server, detail=bool(request.query_params.get("detail")))


ROUTES = [progress]
