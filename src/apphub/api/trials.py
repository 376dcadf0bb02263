"""How a start would go, what it would launch, and how reading the profiles' files went."""

from __future__ import annotations

import json
from typing import Any

from litestar import Response, get, post
from msgspec.structs import replace

from apphub.access.grants import Target
from apphub.api.bodies import as_optional_object, mapping, only, text
from apphub.api.profiles import ONE, notes_of
from apphub.api.schema.profiles import Preview, ReadingModel, Validate, Verdict
from apphub.api.wire import user_target
from apphub.declared.reload import Reading
from apphub.errors import Invalid
from apphub.people.model import NoSuchUser
from apphub.runtimes.base import LaunchSpec
from apphub.servers.model import ServerKey, parse_server_name
from apphub.servers.preview import preview_spec
from apphub.web.json import answer
from apphub.web.needs import needs, signed_in
from apphub.web.request import HubRequest
from apphub.web.says import Query, says

#: Never one of a profile: those begin with a letter or a digit.
FILES = "/hub/api/profiles/_settings"


@post(
    f"{ONE}/validate",
    guards=[signed_in()],
    status_code=200,
    opt=says({200: Verdict}, takes=Validate | None),
)
async def validate(request: HubRequest) -> Response[bytes]:
    """Whether a start would be accepted now, without starting anything: which rules say no, and what would
    help. For oneself, or for a user whose servers one may start.
    """
    body = as_optional_object(await request.body_json())
    only(body, Validate)
    user = text(body, "user") or (request.actor.name if request.actor.kind == "user" else "")
    if not user:
        raise Invalid("user is missing: a service starts no servers of its own")
    name = text(body, "server")
    if name:
        parse_server_name(name)
    account = await request.hub.views.find_account(user)
    target = user_target(account.person) if account is not None else Target(user=user)
    request.actor.demand(replace(target, server=f"{user}/{name}"), "start:servers")
    if account is None:
        raise NoSuchUser(user)
    slug = request.segment("profile")
    refusals, waits = await request.hub.servers.would_start(
        ServerKey(user, name), slug, mapping(body, "options")
    )
    profile = request.hub.catalogue.find(slug)
    verdict: Verdict = {
        "ok": not refusals,
        "problems": [{"rule": one.rule, "message": one.message, "advice": one.advice} for one in refusals],
        "waits": waits,
        "notes": notes_of(request, profile) if profile is not None else [],
    }
    return answer(verdict)


@get(
    f"{ONE}/preview",
    guards=[needs("admin:profiles", everywhere=True)],
    opt=says(
        {200: Preview},
        query=[
            Query("user", str, "Whose start; the caller's own, when nothing is said."),
            Query("server", str, "Name of the server; the default one, when nothing is said."),
            Query("options", str, "Options of the start, as a JSON object."),
        ],
        refuses=[400],
    ),
)
async def preview(request: HubRequest) -> Response[bytes]:
    """What a start would launch: program, variables, folders, files. Without secrets, and whoever may start it."""
    user = request.query_params.get("user") or request.actor.name
    name = request.query_params.get("server") or ""
    if name:
        parse_server_name(name)
    account = await request.hub.views.account(user)
    offer = await request.hub.profiles.get(request.segment("profile"))
    spec = preview_spec(offer, account.person, name, _options(request), request.hub.around)
    return answer(preview_json(spec, notes_of(request, offer.profile)))


def preview_json(spec: LaunchSpec, notes: list[str]) -> Preview:
    """A launch, without what is in files and without secrets."""
    setup = spec.setup
    return {
        "command": list(spec.command),
        "environment": {**spec.env, **(setup.environment if setup is not None else {})},
        "cwd": (setup.cwd if setup is not None else "") or spec.cwd,
        "run_as": spec.run_as,
        "memory_limit": spec.memory_bytes,
        "cpu_limit": spec.cpus,
        "volumes": [
            {"name": one.name, "claim": one.claim, "path": one.path, "persist": one.persist}
            for one in (setup.folders if setup is not None else ())
        ],
        "files": [
            {
                "name": one.name,
                "key": one.key,
                "path": one.path,
                "mode": f"{one.mode:04o}",
                "size": len(one.content),
            }
            for one in (setup.files if setup is not None else ())
        ],
        "init": [
            {"name": one.name, "command": list(one.command)}
            for one in (setup.first if setup is not None else ())
        ],
        "notes": notes,
    }


@get(FILES, guards=[needs("read:profiles", everywhere=True)], opt=says({200: ReadingModel}))
async def last_reading(request: HubRequest) -> Response[bytes]:
    """How the last reading of the settings' profiles went, and what is wrong with their files."""
    return answer(reading_json(request, request.hub.reload.last))


@post(
    f"{FILES}/reload",
    guards=[needs("admin:profiles", everywhere=True)],
    status_code=200,
    opt=says({200: ReadingModel}),
)
async def read_again(request: HubRequest) -> Response[bytes]:
    """Read the settings' profiles now. What is wrong with their files changes nothing, and is told."""
    return answer(reading_json(request, await request.hub.reload.now(request.by)))


def reading_json(request: HubRequest, reading: Reading) -> ReadingModel:
    """How a reading went."""
    return {
        "at": reading.at,
        "ok": not reading.problems,
        "problems": list(reading.problems),
        "notes": list(reading.notes),
        "changed": list(reading.changed),
        "needs_restart": list(reading.waiting),
        "files": [str(path) for path in request.hub.reload.files],
    }


def _options(request: HubRequest) -> dict[str, Any]:
    given = request.query_params.get("options") or "{}"
    try:
        options = json.loads(given)
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict):
        raise Invalid("options must be a JSON object")
    return options


ROUTES = [validate, preview, last_reading, read_again]
