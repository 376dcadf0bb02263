"""What the pages about one server and about one account are told, beside `contexts`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from msgspec import Struct

from apphub.pages.contexts import Card, ScopeLine, ServerRow


class Event(Struct, frozen=True, kw_only=True):
    """One line of a server's story."""

    at: datetime
    text: str
    #: Who did it; empty: the hub.
    actor: str = ""


class Visit(Struct, frozen=True, kw_only=True):
    """Somebody opened a server."""

    at: datetime
    who: str


class ServerDetails(Struct, frozen=True, kw_only=True):
    """Everything about one server; posts to hub/rename|restart|delete|keep/USER[/SERVER]."""

    template: ClassVar[str] = "server.html"
    server: ServerRow
    created: datetime
    #: What it was last started with; None: never.
    card: Card | None = None
    #: Options of the last start, as (title, value).
    options: Sequence[tuple[str, str]] = ()
    #: Newest first.
    events: Sequence[Event] = ()
    #: Newest first; None: not for this visitor to know.
    visits: Sequence[Visit] | None = None
    log: str = ""
    #: Output of the attempt before.
    earlier_log: str = ""
    may_rename: bool = False
    report: str = ""


class SignInRow(Struct, frozen=True, kw_only=True):
    """One place where a person is signed in."""

    id: str
    created: datetime
    expires: datetime
    last_used: datetime | None = None
    #: Browser and system, as far as they say so.
    agent: str = ""
    address: str = ""
    current: bool = False


class SignIns(Struct, frozen=True, kw_only=True):
    """Where I am signed in; posts `id` to hub/sign-ins/end, nothing to hub/sign-ins/end-others."""

    template: ClassVar[str] = "sign_ins.html"
    rows: Sequence[SignInRow] = ()
    #: Whether the person has a password of their own here.
    password: bool = False


class NewPassword(Struct, frozen=True, kw_only=True):
    """Change my password; posts `old`, `new`, `again` and `tokens` to hub/password."""

    template: ClassVar[str] = "password.html"
    minimum: int
    error: str = ""
    #: How many API tokens there are, which may be revoked too.
    tokens: int = 0


class TokenRow(Struct, frozen=True, kw_only=True):
    """One API token."""

    id: str
    note: str = ""
    #: What it may do, in words; empty: nothing but say whose it is.
    may: Sequence[str] = ()
    created: datetime
    last_used: datetime | None = None
    expires: datetime | None = None


class AppRow(Struct, frozen=True, kw_only=True):
    """An app that holds OAuth access in this person's name."""

    client_id: str
    name: str
    created: datetime
    last_used: datetime | None = None
    tokens: int = 1


class Tokens(Struct, frozen=True, kw_only=True):
    """API tokens and the apps that have access; posts `note`, `expires_in` and `scopes` to `hub/token`."""

    template: ClassVar[str] = "token.html"
    #: Just made; shown this once.
    new_token: str = ""
    note: str = ""
    #: What it may be limited to; `required` ones are chosen already.
    offered: Sequence[ScopeLine] = ()
    #: Other scopes, as they were typed.
    scopes: str = ""
    #: Whether it is to be limited.
    limited: bool = False
    #: Offered life times; None: it never expires.
    lives: Sequence[timedelta | None] = (timedelta(days=30),)
    chosen_life: timedelta | None = None
    error: str = ""
    tokens: Sequence[TokenRow] = ()
    apps: Sequence[AppRow] = ()
