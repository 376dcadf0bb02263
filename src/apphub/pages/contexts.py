"""What every page is told: one frozen value per template.

A handler fills one of these and hands it to `render.Renderer.page`; a template reads
nothing else, so the look of a page can be worked on without a hub behind it. All text is
plain text: escaping is the templates' business, and no value here may hold ready HTML.

Texts that a page itself says are translated in its template. Texts that come from data
(names, reasons, error messages) are shown as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from msgspec import Struct

from apphub.admission import Spot
from apphub.web.apidoc import Book


class State(StrEnum):
    """What a person is told about a server."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Message(Struct, frozen=True):
    """One line above the page; `kind` is info, good, warning or bad."""

    text: str
    kind: str = "info"
    #: An address to copy, that is shown this once.
    link: str = ""


class Shell(Struct, frozen=True, kw_only=True):
    """What surrounds every page."""

    #: Who is signed in; empty: nobody, and no navigation is shown.
    user: str = ""
    #: Hidden field `_xsrf` of every form.
    xsrf: str = ""
    #: Whether the administrators' pages are open to this person.
    admin: bool = False
    #: From the operator, on every page.
    announcement: str = ""
    messages: Sequence[Message] = ()


class Choice(Struct, frozen=True):
    """One entry of a list to choose from."""

    value: str
    label: str


class OptionField(Struct, frozen=True, kw_only=True):
    """One option of a profile as a form field, posted as `option:{name}`.

    A checkbox posts `false` and, when ticked, `true` after it: the last value counts. A
    profile's `pattern` is not repeated in the browser, whose regular expressions differ
    from Python's: it would refuse what the hub accepts.
    """

    name: str
    title: str
    #: text, number, select or checkbox.
    kind: str = "text"
    description: str = ""
    value: str = ""
    checked: bool = False
    choices: Sequence[Choice] = ()
    minimum: float | None = None
    maximum: float | None = None
    #: 1 for integers; None: any number.
    step: float | None = None
    max_length: int = 200
    required: bool = False
    #: What was wrong with the value that was sent.
    error: str = ""


class Card(Struct, frozen=True, kw_only=True):
    """A profile that may be launched, or is shown locked."""

    slug: str
    name: str
    description: str = ""
    #: An emoji, or a name in `templates/icons.html`; empty: the generic icon.
    icon: str = ""
    memory_bytes: int | None = None
    cpus: float | None = None
    options: Sequence[OptionField] = ()
    #: Why it cannot be started by this person now; empty: it can.
    locked: str = ""
    #: How to ask for it, in the site's words.
    ask: str = ""


class Guest(Struct, frozen=True, kw_only=True):
    """Somebody whom a server is shared with."""

    name: str
    #: `user` or `group`; or `link`: whoever accepts the code of this id.
    kind: str = "user"
    #: Whether they may open it, or only see how it is.
    may_use: bool = True
    #: When that ends by itself; None: it does not.
    expires: datetime | None = None


class ServerRow(Struct, frozen=True, kw_only=True):
    """One server in a list."""

    user: str
    #: Empty: the default server.
    name: str = ""
    display_name: str = ""
    state: State
    #: Why it failed.
    reason: str = ""
    profile: str = ""
    icon: str = ""
    started: datetime | None = None
    last_activity: datetime | None = None
    #: Path of the app on this host; empty: it is not open to this person.
    url: str = ""
    #: The whole address, to hand on.
    address: str = ""
    #: When it is stopped unless somebody uses it.
    idle_end: datetime | None = None
    #: When it is forgotten, unless that is taken back.
    removal: datetime | None = None
    #: Whether this person may name and share it, and see its page.
    details: bool = False
    removable: bool = True
    may_start: bool = True
    may_stop: bool = True
    #: Whom it is shared with; None: this person may not share it.
    guests: Sequence[Guest] | None = None


class Link(Struct, frozen=True):
    """A service on the home page."""

    name: str
    url: str


class SignIn(Struct, frozen=True, kw_only=True):
    """The sign-in page; posts `username` and `password` to `hub/login?next=`."""

    template: ClassVar[str] = "signin.html"
    next: str = ""
    username: str = ""
    error: str = ""
    #: For example how to get an account.
    hint: str = ""
    #: Whether one password is everybody's, so that any name will do.
    shared: bool = False
    #: Whether every way of signing in is off.
    closed: bool = False


class Home(Struct, frozen=True, kw_only=True):
    """The home page: servers, profiles, services."""

    template: ClassVar[str] = "home.html"
    servers: Sequence[ServerRow] = ()
    cards: Sequence[Card] = ()
    #: Servers of others that this person may use.
    shared: Sequence[ServerRow] = ()
    services: Sequence[Link] = ()
    #: Whether a server may be given a name.
    named: bool = True
    #: A free name, filled in when the default server is taken.
    suggested_name: str = ""
    #: Where the forms are tried while they are filled in (JSON).
    check: str = ""
    #: Whether this is an administrator's first look at a hub that nobody else uses yet.
    first_run: bool = False


class Spawn(Struct, frozen=True, kw_only=True):
    """Start one server: the options of one profile; posts to `hub/spawn/{user}/{server}?next=`."""

    template: ClassVar[str] = "spawn.html"
    user: str
    server: str = ""
    #: None: there is nothing this person may start.
    card: Card | None = None
    #: Where the form is tried while it is filled in (JSON).
    check: str = ""
    #: Other profiles to choose instead, as (slug, name); reached by `?profile=`.
    others: Sequence[Choice] = ()
    next: str = ""
    #: The page of the hub that led here; empty: home.
    back: str = ""
    error: str = ""


class SpawnPending(Struct, frozen=True, kw_only=True):
    """A server on its way; `static/progress.js` follows `events` (text/event-stream)."""

    template: ClassVar[str] = "spawn_pending.html"
    user: str
    server: str = ""
    display_name: str = ""
    profile: str = ""
    icon: str = ""
    #: Path of the event stream on this host.
    events: str
    #: 0 to 100.
    progress: int = 0
    messages: Sequence[str] = ()
    elapsed: timedelta = timedelta()
    #: Where to go when it is ready, a path on this host; empty: to the app's first page.
    next: str = ""
    #: The page of the hub that led here; empty: home.
    back: str = ""
    #: Where it stands, while it has to wait.
    spot: Spot | None = None
    #: The last lines of its output.
    log: str = ""
    #: Why it failed; empty: it has not.
    failed: str = ""
    #: What may help then.
    advice: str = ""
    #: Where its page and its report are; empty: not for this person.
    details: str = ""
    report: str = ""


class Stopped(Struct, frozen=True, kw_only=True):
    """Instead of an app whose server does not run (status 424)."""

    template: ClassVar[str] = "stopped.html"
    user: str
    server: str = ""
    display_name: str = ""
    #: Where the person wanted to go, a path on this host.
    next: str = ""
    state: State = State.STOPPED
    reason: str = ""
    may_start: bool = True


class ScopeLine(Struct, frozen=True, kw_only=True):
    """Something an app asks for."""

    scope: str
    description: str
    #: Whether it comes with the rest, or may be left out.
    required: bool = True


class Consent(Struct, frozen=True, kw_only=True):
    """An app asks for access; posts `scopes` (repeated) to `action`."""

    template: ClassVar[str] = "consent.html"
    #: Path and query of the authorisation request, on this host.
    action: str
    app: str
    #: Host that the app sends people back to, where it is not this one.
    destination: str = ""
    scopes: Sequence[ScopeLine] = ()
    #: Where Cancel leads: a path, or an http(s) URL.
    cancel_url: str


class AcceptShare(Struct, frozen=True, kw_only=True):
    """Somebody offers access to a server by a code; posts `code` to `hub/accept-share?next=`."""

    template: ClassVar[str] = "accept_share.html"
    code: str
    owner: str
    server: str = ""
    display_name: str = ""
    scopes: Sequence[ScopeLine] = ()
    next: str = ""


class ApiDocs(Struct, frozen=True, kw_only=True):
    """The API to read."""

    template: ClassVar[str] = "api_docs.html"
    book: Book


class Error(Struct, frozen=True, kw_only=True):
    """Something went wrong."""

    template: ClassVar[str] = "error.html"
    status: int
    #: Empty: a title that fits the status.
    title: str = ""
    message: str = ""
    advice: str = ""
    request_id: str = ""
    #: Whether signing in would help.
    sign_in: bool = False


class Page(Protocol):
    """What every page's value has."""

    template: ClassVar[str]
