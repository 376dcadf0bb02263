"""The editor of a profile: checked while one types, shown as it would be launched, kept as a new version."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
from litestar import Response, get, post

from apphub.errors import HubError, Invalid, NotFound
from apphub.kit.names import SLUG
from apphub.pages.admin_frame import frame
from apphub.pages.admin_profile_contexts import AdminProfile, BindingRow, Preview, VersionRow
from apphub.pages.answers import language, redirect, renderer, show
from apphub.pages.forms import Form
from apphub.pages.locale import gettext
from apphub.pages.sections import everywhere
from apphub.people.model import Source
from apphub.profiles.model import Offer
from apphub.profiles.secret import concealed
from apphub.profiles.whom import parse_whom
from apphub.servers.preview import preview_spec
from apphub.settings import SettingsError
from apphub.settings.definition import definition_of
from apphub.settings.editing import read_yaml, written_as_yaml
from apphub.settings.problems import written
from apphub.web.errors import status_of
from apphub.web.needs import needs
from apphub.web.request import HubRequest

PATH = "/hub/admin/profiles/{profile:str}"
NEW = "/hub/admin/new-profile"
_CHANGES = needs("admin:profiles", everywhere=True)
#: What a new one begins with.
_BLANK = """\
display_name: My app
description: What it is for.
command: [my-app, --port, "{port}"]
"""


@get(NEW, guards=[_CHANGES])
async def blank(request: HubRequest) -> Response[bytes]:
    """The editor of a profile that is not there yet."""
    return show(request, AdminProfile(frame=frame(request, "profiles"), may_change=True, text=_BLANK))


@get(PATH, guards=[needs("read:profiles", everywhere=True)])
async def profile(request: HubRequest) -> Response[bytes]:
    """The editor of a profile."""
    return show(request, await _page(request, request.segment("profile")))


@post([NEW, PATH], guards=[_CHANGES])
async def save(request: HubRequest) -> Response[bytes]:
    """Check what was written, show what it would launch, and keep it when that is asked for."""
    form = await Form.of(request)
    new = "profile" not in request.path_params
    slug = form.text("slug") if new else request.segment("profile")
    text, problems, preview = form.text("text"), [], None
    status = 200
    try:
        values = _read(slug, text)
        offer = await request.hub.profiles.judge(slug, values)
        preview = await _preview(request, offer)
        if form.text("do") == "save":
            await request.hub.profiles.put(request.by, slug, values, create=new)
            return redirect(renderer(request.hub.urls.base).hub("admin", "profiles", slug))
    except SettingsError as error:
        problems, status = [str(problem).strip() for problem in error.problems], 400
    except HubError as error:
        problems, status = str(error).splitlines(), status_of(error)
    checking = form.text("do") != "save"
    if new:
        page = AdminProfile(
            frame=frame(request, "profiles"),
            may_change=True,
            slug="",
            name=slug,
            text=text,
            checked=True,
            problems=problems,
            preview=preview,
        )
    else:
        page = await _page(request, slug, text=text, checked=True, problems=problems, preview=preview)
    return show(request, page, status=200 if checking else status)


@post(f"{PATH}/withdraw", guards=[_CHANGES])
async def withdraw(request: HubRequest) -> Response[bytes]:
    """Offer it no longer."""
    await Form.of(request)
    return await _changed(request, request.hub.profiles.withdraw(request.by, request.segment("profile")))


@post(f"{PATH}/rollback", guards=[_CHANGES])
async def roll_back(request: HubRequest) -> Response[bytes]:
    """Make it what it was; one that was withdrawn is offered again."""
    form, slug = await Form.of(request), request.segment("profile")
    return await _changed(request, request.hub.profiles.roll_back(request.by, slug, _number(form, "version")))


@post(f"{PATH}/bind", guards=[_CHANGES])
async def bind(request: HubRequest) -> Response[bytes]:
    """Open it to a group, a role or a user: `group:analysts`."""
    form, slug = await Form.of(request), request.segment("profile")
    kind, _, name = form.text("whom").partition(":")
    try:
        if kind not in ("group", "role", "user") or not name.strip():
            raise Invalid(gettext(language(request), "Write group:NAME, role:NAME or user:NAME."))
        whom = parse_whom({kind: name.strip()})
    except HubError as error:
        page = await _page(request, slug, error=str(error), whom=form.text("whom"))
        return show(request, page, status=status_of(error))
    return await _changed(request, request.hub.profiles.bind(request.by, slug, whom, None))


@post(f"{PATH}/unbind", guards=[_CHANGES])
async def unbind(request: HubRequest) -> Response[bytes]:
    """Open it to somebody no longer."""
    form, slug = await Form.of(request), request.segment("profile")
    return await _changed(request, request.hub.profiles.unbind(request.by, slug, _number(form, "binding")))


async def _changed(request: HubRequest, change: Any) -> Response[bytes]:
    """Do it; the page again, with what was wrong with it."""
    slug = request.segment("profile")
    try:
        await change
    except HubError as error:
        return show(request, await _page(request, slug, error=str(error)), status=status_of(error))
    return redirect(renderer(request.hub.urls.base).hub("admin", "profiles", slug))


def _number(form: Form, name: str) -> int:
    text = form.text(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read(slug: str, text: str) -> dict[str, Any]:
    if not SLUG.fullmatch(slug) or len(slug) > 63:
        raise Invalid(
            "The short name has up to 63 lower-case letters, digits and . _ -, with a letter or digit at both ends."
        )
    values = read_yaml(text)
    for key in ("slug", "groups"):
        if key in values:
            raise Invalid(f"{key}: is not part of the text; it stands beside it.")
    return values


async def _preview(request: HubRequest, offer: Offer) -> Preview:
    """What a start of one's own would launch, as far as that can be told without options."""
    notes: list[str] = []
    if offer.profile.container is not None:
        notes += [f"{written(place)}: {words}" for place, words in offer.profile.container.beyond_processes()]
    try:
        person = await request.hub.people.person(request.actor.name)
        spec = preview_spec(offer, person, "", {}, request.hub.around)
    except HubError as error:
        return Preview(notes=[*notes, str(error)])
    hidden = ("PATH", "LANG", "LC_ALL", "TZ")
    return Preview(
        command=shlex.join(spec.command),
        environment=[(key, value) for key, value in sorted(spec.env.items()) if key not in hidden],
        cwd=spec.cwd or "",
        notes=notes,
    )


async def _page(request: HubRequest, slug: str, **more: Any) -> AdminProfile:
    hub = request.hub
    offer = next((one for one in await hub.profiles.list_all(withdrawn=True) if one.slug == slug), None)
    if offer is None:
        raise NotFound(gettext(language(request), "There is no such profile."))
    current, versions = await hub.profiles.versions(slug)
    text = more.pop("text", None)
    if text is None:
        text = written_as_yaml(concealed(definition_of(offer.profile)))
    return AdminProfile(
        frame=frame(request, "profiles"),
        slug=slug,
        name=offer.profile.display_name or slug,
        icon=offer.profile.icon,
        version=offer.version,
        declared=offer.source is Source.SETTINGS,
        withdrawn=offer.withdrawn is not None,
        may_change=everywhere(request.actor, "admin:profiles"),
        text=text,
        bindings=[
            BindingRow(
                id=one.id,
                whom=one.whom,
                options=msgspec.json.encode(one.options).decode() if one.options else "",
                declared=one.source is Source.SETTINGS,
            )
            for one in offer.bindings
        ],
        versions=[
            VersionRow(number=one.number, created=one.created, actor=one.actor, current=one.number == current)
            for one in versions[:20]
        ],
        **more,
    )


ROUTES = [blank, profile, save, withdraw, roll_back, bind, unbind]
