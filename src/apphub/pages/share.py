"""Share a server from the home page, and end that again."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from litestar import Response, post

from apphub.errors import Forbidden, Invalid, NotFound
from apphub.pages.addressed import key_of, paths
from apphub.pages.answers import language, redirect, show
from apphub.pages.contexts import Message
from apphub.pages.forms import Form
from apphub.pages.home import home_page
from apphub.pages.locale import gettext
from apphub.shares.model import LEVELS, Level, With
from apphub.web.errors import status_of
from apphub.web.needs import needs
from apphub.web.request import HubRequest

#: Lives that the form offers, by what it sends (seconds).
LIVES = {"": None, **{str(seconds): timedelta(seconds=seconds) for seconds in (3600, 86400, 604800, 2592000)}}


@post(paths("share"), guards=[needs("shares", of_server=True)])
async def share(request: HubRequest) -> Response[bytes]:
    """Share a server with somebody, at this level and for so long, whatever they had before."""
    form = await Form.of(request)
    try:
        await request.hub.shares.grant(
            request.actor,
            request.by,
            key_of(request),
            _whom(request, form),
            LEVELS[_level(request, form)],
            _life(request, form),
            replace=True,
        )
    except (Invalid, Forbidden) as error:
        told = Message(str(error), "bad")
        return show(request, await home_page(request), status=status_of(error), messages=(told,))
    return redirect(f"{request.hub.urls.hub}home")


@post(paths("share-link"), guards=[needs("shares", of_server=True)])
async def link(request: HubRequest) -> Response[bytes]:
    """Make a link that opens a server to whoever accepts it in time; it is shown in this answer only."""
    form = await Form.of(request)
    shares, key = request.hub.shares, key_of(request)
    try:
        life = _life(request, form)
        if life is None:
            raise Invalid(gettext(language(request), "A link ends by itself: choose when."))
        scopes = LEVELS[_level(request, form)]
        _, secret = await shares.create_code(request.actor, request.by, key, scopes, life)
    except (Invalid, Forbidden) as error:
        told, status = Message(str(error), "bad"), status_of(error)
    else:
        text = gettext(
            language(request),
            "Whoever signs in and opens this link in time is let in, until you end that. It is shown only now.",
        )
        address = f"{request.origin}{request.hub.urls.hub}accept-share?code={secret}"
        told, status = Message(text, "good", address), 200
    return show(request, await home_page(request), status=status, messages=(told,))


@post(paths("unshare"), guards=[needs("shares", of_server=True)])
async def unshare(request: HubRequest) -> Response[bytes]:
    """End a share or a link; one that has ended already is fine."""
    form = await Form.of(request)
    if form.text("kind") == "link":
        with suppress(NotFound):
            await request.hub.shares.delete_codes(request.by, key_of(request), wire_id=form.text("name"))
        return redirect(f"{request.hub.urls.hub}home")
    await request.hub.shares.revoke(request.by, key_of(request), _whom(request, form))
    return redirect(f"{request.hub.urls.hub}home")


def _whom(request: HubRequest, form: Form) -> With:
    name = form.text("name")
    if not name:
        raise Invalid(gettext(language(request), "Say whom to share it with."))
    return With(group=name) if form.text("kind") == "group" else With(user=name)


def _level(request: HubRequest, form: Form) -> Level:
    try:
        return Level(form.text("level"))
    except ValueError:
        raise Invalid(gettext(language(request), "Choose what they may do.")) from None


def _life(request: HubRequest, form: Form) -> timedelta | None:
    try:
        return LIVES[form.text("life")]
    except KeyError:
        raise Invalid(gettext(language(request), "Choose how long it is to last.")) from None


ROUTES = [share, link, unshare]
