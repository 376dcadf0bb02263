"""How the hub is: who serves, how busy it is, what it stands on."""

from __future__ import annotations

import platform

from litestar import Response, get, post

from apphub import JUPYTERHUB_VERSION, __version__
from apphub.pages.admin_contexts import AdminStatus, ReplicaRow
from apphub.pages.admin_frame import frame
from apphub.pages.answers import redirect, show
from apphub.pages.forms import Form
from apphub.pages.sections import everywhere
from apphub.web.needs import needs
from apphub.web.request import HubRequest

_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@get("/hub/admin/status", guards=[needs("read:hub", everywhere=True)])
async def status(request: HubRequest) -> Response[bytes]:
    """The page."""
    hub = request.hub
    load = await hub.status.load()
    name, milliseconds = await hub.status.database()
    reads = everywhere(request.actor, "read:profiles")
    return show(
        request,
        AdminStatus(
            frame=frame(request, "status"),
            version=__version__,
            api_version=JUPYTERHUB_VERSION,
            python=platform.python_version(),
            replicas=[
                ReplicaRow(
                    name=f"{one.place} ({one.id[:6]})",
                    edges=one.edges,
                    seen=one.seen,
                    here=one.id == hub.status.replicas.id,
                )
                for one in await hub.status.hubs(len(hub.plane.edges))
            ],
            edges=sorted(hub.plane.edges),
            database=_DATABASES.get(name, name),
            database_ms=round(milliseconds, 1),
            users=load.users,
            waiting=load.waiting,
            starting=load.starting,
            ready=load.ready,
            stopping=load.stopping,
            jobs=load.jobs,
            problems=hub.reload.last.problems if reads else (),
            may_reload=everywhere(request.actor, "admin:profiles"),
        ),
    )


@post("/hub/admin/status/reload", guards=[needs("admin:profiles", everywhere=True)])
async def read_again(request: HubRequest) -> Response[bytes]:
    """Read the settings' profiles now; what is wrong with them is on the page."""
    await Form.of(request)
    await request.hub.reload.now(request.by)
    return redirect(f"{request.hub.urls.hub}admin/status")


ROUTES = [status, read_again]
