"""Watch a server come up: what happened so far, its output, and why it did not."""

from __future__ import annotations

from functools import partial

from litestar import Response, get
from litestar.response import Stream
from msgspec.structs import replace

from apphub.kit import clock
from apphub.pages.addressed import (
    asked,
    back_of,
    find_account,
    find_server,
    goal_of,
    key_of,
    onward,
    paths,
    with_next,
)
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import SpawnPending
from apphub.pages.locale import gettext
from apphub.pages.report import write_report
from apphub.pages.said import say, say_part
from apphub.pages.stopped import stopped_page
from apphub.servers.model import NoSuchServer, Server
from apphub.web.needs import needs
from apphub.web.progress import TAIL, stream
from apphub.web.request import HubRequest

#: Bytes of output in a report.
REPORTED = 64_000


@get(paths("spawn-pending"), guards=[needs("read:servers", of_server=True)])
async def pending(request: HubRequest) -> Response[bytes]:
    """A server on its way: progress, output, and the reason when it does not come up."""
    key = key_of(request)
    account = await find_account(request)
    server = find_server(account, key)
    if server is None:
        raise NoSuchServer(key)
    if server.ready:
        return redirect(onward(request, server))
    if server.pending == "spawn" or server.asked_again or server.failed:
        return show(request, await pending_page(request, server))
    return show(request, stopped_page(request, account, server, goal_of(request, server)))


@get(paths("progress"), guards=[needs("read:servers", of_server=True)])
async def events(request: HubRequest) -> Stream:
    """What the page of a server on its way listens to.

    A start may be over before its page listens: then this tells how it ended.
    """
    account = await find_account(request)
    server = find_server(account, key_of(request))
    if server is None:
        raise NoSuchServer(key_of(request))
    tongue = language(request)
    return stream(
        request.hub,
        server,
        detail=True,
        goal=goal_of(request, server),
        say=partial(say, tongue),
        say_part=partial(say_part, tongue),
    )


@get(paths("report"), guards=[needs("read:servers", of_server=True)])
async def report(request: HubRequest) -> Response[bytes]:
    """What an administrator needs to know of the last attempt, as a text to keep or to send. No secrets."""
    account = await find_account(request)
    server = find_server(account, key_of(request))
    if server is None or not server.attempt:
        raise NoSuchServer(key_of(request))
    hub = request.hub
    log = await hub.logs.tail(server, REPORTED)
    token = hub.keys.derive("server-token", server.id, server.attempt)
    text = write_report(server, await hub.care.story(server), log, clock.now(), [token])
    name = "-".join(filter(None, ("report", *server.key)))
    safe = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    return Response(
        text.encode(),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{safe}.txt"', "cache-control": "no-store"},
    )


async def pending_page(request: HubRequest, server: Server) -> SpawnPending:
    """What the page of a server on its way shows."""
    hub, plan, tongue = request.hub, server.plan, language(request)
    told = await hub.servers.events(server)
    profile = hub.catalogue.find(plan.profile) if plan is not None else None
    log = await hub.logs.tail(server, TAIL)
    spot = (await hub.admission.spots_of([server])).get(server.id)
    return SpawnPending(
        user=server.key.user,
        server=server.key.name,
        display_name=server.display_name,
        profile=plan.title if plan is not None else "",
        icon=profile.icon if profile is not None else "",
        events=with_next(request, hub.urls.page("progress", *server.key)),
        progress=max((event.progress for event in told), default=0),
        messages=[say(tongue, event.message) for event in told],
        elapsed=clock.now() - (server.requested or clock.now()),
        next=asked(request),
        back=back_of(request),
        spot=replace(spot, waits_for=say_part(tongue, spot.waits_for)) if spot is not None else None,
        log=log,
        failed=say(tongue, failure(server.reason or "", log)) if server.failed else "",
        advice=advice(tongue, server.reason or "") if server.failed else "",
        details=hub.urls.page("server", *server.key),
        report=hub.urls.page("report", *server.key),
    )


def advice(tongue: str, reason: str) -> str:
    """What may help against the reason of a failure."""
    first = reason.partition("\n")[0]
    if "more memory than its limit" in first:
        return gettext(tongue, "Start it with more memory, or with less to load.")
    if "did not answer in time" in first:
        return gettext(tongue, "Start it again; if it stays, send the report to an administrator.")
    if "ended" in first or "gone" in first or "killed" in first:
        return gettext(tongue, "Its last lines, below, often say why. Change the options, or start it again.")
    return gettext(tongue, "Only an administrator can mend this: send them the report.")


def failure(reason: str, log: str) -> str:
    """The whole reason, without the output that it quotes where that is shown beside it.

    `static/progress.js` has the same rule.
    """
    sentence, _, quoted = reason.partition("\n")
    return sentence if quoted.strip() and quoted.strip() in log else reason


ROUTES = [pending, events, report]
