"""What the administrators' pages are told, as `contexts.py` does it for all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from apphub.pages.contexts import Choice, ServerRow


@dataclass(frozen=True, slots=True)
class Tab:
    """An entry of the navigation among these pages."""

    #: One of `sections.SECTIONS`; the template has the words.
    kind: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A user in the list, as far as its reader may look."""

    name: str
    admin: bool = False
    groups: Sequence[str] = ()
    last_activity: datetime | None = None
    running: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminUsers:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminUser:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """Somebody to be added, as their line was read."""

    number: int
    name: str
    groups: Sequence[str] = ()
    admin: bool = False
    #: Why it cannot be done.
    problem: str = ""
    #: What deserves a second look.
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAdd:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminConfirm:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group in the list."""

    name: str
    members: int = 0
    roles: Sequence[str] = ()
    profiles: Sequence[str] = ()
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminGroups:
    """Groups; `name` is sent to `hub/admin/groups`."""

    template: ClassVar[str] = "admin_groups.html"
    frame: Frame
    groups: Sequence[GroupRow] = ()
    may_create: bool = False
    name: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """Somebody in a group."""

    name: str
    last_activity: datetime | None = None
    #: The settings file says so: they stay.
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminGroup:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServers:
    """Servers; `server` (many) is sent to `hub/admin/servers/bulk`."""

    template: ClassVar[str] = "admin_servers.html"
    frame: Frame
    servers: Sequence[ServerRow] = ()
    active: bool = False
    all_path: str = ""
    active_path: str = ""
    profile: str = ""
    may_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """A service."""

    name: str
    url: str = ""
    admin: bool = False
    roles: Sequence[str] = ()
    #: Whether the hub runs its program.
    managed: bool = False
    declared: bool = False
    may_delete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminServices:
    """Services."""

    template: ClassVar[str] = "admin_services.html"
    frame: Frame
    services: Sequence[ServiceRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedToken:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminTokens:
    """Tokens of all; `id` and `next` are sent to `hub/admin/tokens/{user}/revoke`."""

    template: ClassVar[str] = "admin_tokens.html"
    frame: Frame
    tokens: Sequence[OwnedToken] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAudit:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRow:
    """A process of the hub."""

    name: str
    #: Edges that are connected to it.
    edges: int
    seen: datetime
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminStatus:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
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


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """What could not be done."""

    item: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminJob:
    """How far a bulk action has come."""

    template: ClassVar[str] = "admin_job.html"
    frame: Frame
    job: JobRow
    problems: Sequence[ProblemRow] = ()
    back: str = ""
    others: Sequence[JobRow] = ()
