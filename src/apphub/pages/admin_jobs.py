"""How far bulk actions have come, and calling them off."""

from __future__ import annotations

from litestar import Response, get, post

from apphub.jobs.model import Job, NoSuchJob
from apphub.pages.admin_contexts import AdminJob, JobRow, ProblemRow
from apphub.pages.admin_frame import frame
from apphub.pages.answers import redirect, show
from apphub.pages.forms import Form
from apphub.web.needs import visitor
from apphub.web.request import HubRequest

PATH = "/hub/admin/jobs/{job:str}"


@get(PATH, guards=[visitor()])
async def job(request: HubRequest) -> Response[bytes]:
    """One bulk action of one's own."""
    report = await request.hub.jobs.report(request.actor, _id(request))
    others = await request.hub.jobs.mine(request.actor)
    return show(
        request,
        AdminJob(
            frame=frame(request, "users"),
            job=_row(report.job),
            problems=[ProblemRow(one.item, one.problem or "") for one in report.problems],
            others=[_row(one) for one in others if one.id != report.job.id],
        ),
    )


@post(f"{PATH}/cancel", guards=[visitor()])
async def cancel(request: HubRequest) -> Response[bytes]:
    """Do no more of it."""
    await Form.of(request)
    await request.hub.jobs.cancel(request.actor, request.by, _id(request))
    return redirect(f"{request.hub.urls.hub}admin/jobs/{_id(request)}")


def _id(request: HubRequest) -> int:
    text = request.segment("job")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NoSuchJob
    return int(text)


def _row(found: Job) -> JobRow:
    state = "cancelled" if found.cancelled else "done" if found.finished is not None else "running"
    return JobRow(
        id=found.id,
        kind=found.kind,
        target=found.target,
        created=found.created,
        total=found.total,
        done=found.done,
        failed=found.failed,
        state=state,
    )


ROUTES = [job, cancel]
