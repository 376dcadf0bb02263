"""What the administrators' pages are told, as `contexts.py` does it for all others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal

from msgspec import Struct

from apphub.pages.contexts import Choice, ServerRow


class Tab(Struct, frozen=True):
    """An entry of the navigation among these pages."""

    #: One of `sections.SECTIONS`; the template has the words.
    kind: str
    path: str


class Frame(Struct, frozen=True, kw_only=True):
    """What surrounds these pages."""

    tabs: Sequence[Tab] = ()
    #: The `kind` of the tab that is shown; empty: none.
    kind: str = ""
    #: Path and query of this page: its buttons lead back here.
    here: str = ""
    #: What was searched for, where the page can be searched.
    search: str = ""
    #: Paths of the pages before and after this one; empty: there is none.
    before: str = ""
    after: str = ""
    #: Orders to choose from, as (path, words are the template's); the first that counts is `order`.
    order: str = ""
    orders: Sequence[Choice] = ()


class UserRow(Struct, frozen=True, kw_only=True):
    """A user in the list, as far as its reader may look."""

    name: str
    admin: bool = False
    groups: Sequence[str] = ()
    last_activity: datetime | None = None
    running: int = 0


class AdminUsers(Struct, frozen=True, kw_only=True):
    """Users; `do`, `user` (many) and `group` are sent to `hub/admin/users/bulk`."""

    template: ClassVar[str] = "admin_users.html"
    frame: Frame
    users: Sequence[UserRow] = ()
    group: str = ""
    active: bool = False
    #: The same list without the filter.
    all_path: str = ""
    active_path: str = ""
    may_add: bool = False
    may_stop: bool = False
    may_delete: bool = False
    #: Groups that the reader may fill.
    groups: Sequence[str] = ()


class Entry(Struct, frozen=True, kw_only=True):
    """A line of the audit log."""

    at: datetime
    actor: str
    behalf: str = ""
    action: str
    target: str
    before: str = ""
    after: str = ""
    address: str = ""
    request_id: str = ""


class AdminUser(Struct, frozen=True, kw_only=True):
    """One user; `admin` (true or false) and `name` are sent to its path."""

    template: ClassVar[str] = "admin_user.html"
    frame: Frame
    name: str
    admin: bool = False
    created: datetime | None = None
    last_activity: datetime | None = None
    groups: Sequence[str] = ()
    roles: Sequence[str] = ()
    #: Whether the settings file says that this user exists.
    declared: bool = False
    servers: Sequence[ServerRow] = ()
    may_start: bool = False
    may_change: bool = False
    may_delete: bool = False
    #: Whether groups lead to their pages.
    may_groups: bool = False
    entries: Sequence[Entry] = ()
    log_path: str = ""
    error: str = ""


class NewLine(Struct, frozen=True, kw_only=True):
    """Somebody to be added, as their line was read."""

    number: int
    name: str
    groups: Sequence[str] = ()
    admin: bool = False
    #: Why it cannot be done.
    problem: str = ""
    #: What deserves a second look.
    note: str = ""


class AdminAdd(Struct, frozen=True, kw_only=True):
    """Add many users; `text` is sent to `hub/admin/add`, with `do` = add once it has been looked at."""

    template: ClassVar[str] = "admin_add.html"
    frame: Frame
    text: str = ""
    lines: Sequence[NewLine] = ()
    #: How many lines cannot be done.
    wrong: int = 0
    #: Whether `text` has been read at all.
    checked: bool = False
    error: str = ""


class AdminConfirm(Struct, frozen=True, kw_only=True):
    """Ask again before users or servers (`what`) are deleted: those named, or all that match."""

    template: ClassVar[str] = "admin_confirm.html"
    frame: Frame
    what: Literal["users", "servers"]
    #: The fields that say which they are: `names`, one on a line, or those of the search.
    fields: Sequence[tuple[str, str]]
    count: int
    some: Sequence[str] = ()
    #: There are others now than were asked about before.
    changed: bool = False
    back: str = ""


class GroupRow(Struct, frozen=True, kw_only=True):
    """A group in the list."""

    name: str
    members: int = 0
    roles: Sequence[str] = ()
    profiles: Sequence[str] = ()
    declared: bool = False


class AdminGroups(Struct, frozen=True, kw_only=True):
    """Groups; `name` is sent to `hub/admin/groups`."""

    template: ClassVar[str] = "admin_groups.html"
    frame: Frame
    groups: Sequence[GroupRow] = ()
    may_create: bool = False
    name: str = ""
    error: str = ""


class MemberRow(Struct, frozen=True, kw_only=True):
    """Somebody in a group."""

    name: str
    last_activity: datetime | None = None
    #: The settings file says so: they stay.
    declared: bool = False


class AdminGroup(Struct, frozen=True, kw_only=True):
    """One group; `names` is sent to its path with `/add`, `user` (many) with `/remove`."""

    template: ClassVar[str] = "admin_group.html"
    frame: Frame
    name: str
    count: int = 0
    members: Sequence[MemberRow] = ()
    roles: Sequence[str] = ()
    profiles: Sequence[Choice] = ()
    #: JSON.
    properties: str = ""
    declared: bool = False
    may_fill: bool = False
    may_delete: bool = False
    #: Whether names of members lead to their pages.
    may_users: bool = False
    names: str = ""
    error: str = ""


class AdminServers(Struct, frozen=True, kw_only=True):
    """Servers; `server` (many) is sent to `hub/admin/servers/bulk`."""

    template: ClassVar[str] = "admin_servers.html"
    frame: Frame
    servers: Sequence[ServerRow] = ()
    active: bool = False
    all_path: str = ""
    active_path: str = ""
    profile: str = ""
    may_stop: bool = False


class ServiceRow(Struct, frozen=True, kw_only=True):
    """A service."""

    name: str
    url: str = ""
    admin: bool = False
    roles: Sequence[str] = ()
    #: Whether the hub runs its program.
    managed: bool = False
    declared: bool = False
    may_delete: bool = False


class AdminServices(Struct, frozen=True, kw_only=True):
    """Services."""

    template: ClassVar[str] = "admin_services.html"
    frame: Frame
    services: Sequence[ServiceRow] = ()


class OwnedToken(Struct, frozen=True, kw_only=True):
    """A token of somebody."""

    id: str
    owner: str
    #: user or service.
    kind: str = "user"
    note: str = ""
    app: str = ""
    scopes: Sequence[str] = ()
    created: datetime
    last_used: datetime | None = None
    expires: datetime | None = None
    may_revoke: bool = False


class AdminTokens(Struct, frozen=True, kw_only=True):
    """Tokens of all; `id` and `next` are sent to `hub/admin/tokens/{user}/revoke`."""

    template: ClassVar[str] = "admin_tokens.html"
    frame: Frame
    tokens: Sequence[OwnedToken] = ()


class AdminAudit(Struct, frozen=True, kw_only=True):
    """The audit log; all fields are sent as a query."""

    template: ClassVar[str] = "admin_audit.html"
    frame: Frame
    entries: Sequence[Entry] = ()
    actor: str = ""
    target: str = ""
    action: str = ""
    since: str = ""
    until: str = ""
    actions: Sequence[str] = ()
    export: str = ""
    error: str = ""


class ReplicaRow(Struct, frozen=True, kw_only=True):
    """A process of the hub."""

    name: str
    #: Edges that are connected to it.
    edges: int
    seen: datetime
    here: bool = False


class AdminStatus(Struct, frozen=True, kw_only=True):
    """How the hub is."""

    template: ClassVar[str] = "admin_status.html"
    frame: Frame
    version: str
    api_version: str = ""
    python: str = ""
    replicas: Sequence[ReplicaRow] = ()
    edges: Sequence[str] = ()
    #: SQLite or PostgreSQL.
    database: str = ""
    #: How long a question to the database takes, in milliseconds.
    database_ms: float = 0
    users: int = 0
    #: Servers by state.
    waiting: int = 0
    starting: int = 0
    ready: int = 0
    stopping: int = 0
    jobs: int = 0
    #: What was wrong with the files of profiles at their last reading.
    problems: Sequence[str] = ()
    may_reload: bool = False


class JobRow(Struct, frozen=True, kw_only=True):
    """A bulk action."""

    id: int
    kind: str
    target: str = ""
    created: datetime
    total: int = 0
    done: int = 0
    failed: int = 0
    #: running, done or cancelled.
    state: str = "running"


class ProblemRow(Struct, frozen=True):
    """What could not be done."""

    item: str
    problem: str


class AdminJob(Struct, frozen=True, kw_only=True):
    """How far a bulk action has come."""

    template: ClassVar[str] = "admin_job.html"
    frame: Frame
    job: JobRow
    problems: Sequence[ProblemRow] = ()
    back: str = ""
    others: Sequence[JobRow] = ()
