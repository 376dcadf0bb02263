"""What a profile was, and who may launch it."""

from __future__ import annotations

from litestar import Response, delete, get, post

from apphub.api.bodies import as_object, mapping, only
from apphub.api.profiles import ONE, binding_json, full_json
from apphub.api.schema.profiles import Bind, BindingModel, FullProfile, RollBack, VersionModel
from apphub.errors import Invalid, shown
from apphub.profiles.actions import NoSuchBinding
from apphub.profiles.secret import concealed
from apphub.profiles.whom import parse_whom
from apphub.web.json import answer, empty
from apphub.web.needs import needs
from apphub.web.request import HubRequest
from apphub.web.says import says


@get(
    f"{ONE}/versions",
    guards=[needs("read:profiles", everywhere=True)],
    opt=says({200: list[VersionModel]}),
)
async def list_versions(request: HubRequest) -> Response[bytes]:
    """Every version of a profile, the newest first; also of one that is withdrawn."""
    current, versions = await request.hub.profiles.versions(request.segment("profile"))
    models: list[VersionModel] = [
        {
            "version": version.number,
            "current": version.number == current,
            "created": version.created,
            "actor": version.actor,
            "definition": concealed(version.definition),
        }
        for version in versions
    ]
    return answer(models)


@post(
    f"{ONE}/rollback",
    guards=[needs("admin:profiles", everywhere=True)],
    status_code=200,
    opt=says({200: FullProfile}, takes=RollBack, refuses=[409]),
)
async def roll_back(request: HubRequest) -> Response[bytes]:
    """Make a new version that is what an old one was; a profile that was withdrawn is offered again."""
    body = as_object(await request.body_json())
    only(body, RollBack)
    number = body.get("version")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**31:
        raise Invalid(f"version must be the number of a version, not {shown(number)}")
    offer = await request.hub.profiles.roll_back(request.by, request.segment("profile"), number)
    return answer(full_json(request, offer))


@get(
    f"{ONE}/bindings",
    guards=[needs("read:profiles", everywhere=True)],
    opt=says({200: list[BindingModel]}),
)
async def list_bindings(request: HubRequest) -> Response[bytes]:
    """Who may launch a profile."""
    offer = await request.hub.profiles.get(request.segment("profile"))
    return answer([binding_json(binding) for binding in offer.bindings])


@post(
    f"{ONE}/bindings",
    guards=[needs("admin:profiles", everywhere=True)],
    opt=says({201: BindingModel}, takes=Bind),
)
async def bind(request: HubRequest) -> Response[bytes]:
    """Let a user, the members of a group or the holders of a role launch a profile."""
    body = as_object(await request.body_json())
    only(body, Bind)
    binding = await request.hub.profiles.bind(
        request.by, request.segment("profile"), parse_whom(body), mapping(body, "options")
    )
    return answer(binding_json(binding), 201)


@delete(
    f"{ONE}/bindings/{{binding:str}}",
    guards=[needs("admin:profiles", everywhere=True)],
    status_code=200,
    opt=says({204: None}, refuses=[409]),
)
async def unbind(request: HubRequest) -> Response[bytes]:
    """Take a binding away. What happens to running servers is what the profile says of lost groups."""
    number = request.segment("binding")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NoSuchBinding(f"There is no binding {shown(number)}.")
    await request.hub.profiles.unbind(request.by, request.segment("profile"), int(number))
    return empty(204)


ROUTES = [list_versions, roll_back, list_bindings, bind, unbind]
