"""The JSON that answers hold. `api/wire.py` makes these, and the type checker sees to it that it does.

A key that may be missing is one that the caller may not see. The document of the API
(`api/openapi.py`) is made from these types, and a test compares real answers with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

from msgspec import Meta

from apphub.servers.model import Phase

Item = TypeVar("Item")

#: Encoded with a `Z`, as JupyterHub's clients parse it.
Moment = Annotated[datetime, Meta(tz=True, description="A moment in UTC (RFC 3339).")]
Scopes = Annotated[list[str], Meta(description="Scopes, with their filters.")]


class HubVersion(TypedDict):
    """The version of JupyterHub whose API this is."""

    version: str


#: Which part does a job. Not a class of its own, for `class` is a word of Python's.
Component = TypedDict("Component", {"class": str, "version": str})


class Info(TypedDict):
    """Details of the hub."""

    version: str
    python: str
    sys_executable: str
    spawner: Component
    authenticator: Component


class ServerState(TypedDict, total=False):
    """What the hub knows about a server inside, for holders of `admin:server_state`."""

    phase: Phase
    attempt: int
    address: str | None
    profile: str | None
    #: Of a server whose last start failed.
    reason: str | None


class QueueModel(TypedDict):
    """Where a start stands that has to wait: its place in the line, from 1; about how many seconds until it
    is ready, null when nobody knows; and what it waits for.
    """

    position: int
    estimate: int | None
    waits_for: str


class ServerModel(TypedDict):
    """A server. `pending` is what it is on the way to."""

    name: str
    display_name: str
    full_name: str
    last_activity: Moment | None
    started: Moment | None
    pending: Literal["spawn", "stop"] | None
    ready: bool
    stopped: bool
    url: str
    user_options: dict[str, Any] | None
    progress_url: str
    full_url: str | None
    full_progress_url: str | None
    #: Of a start that has to wait.
    queue: NotRequired[QueueModel]
    state: NotRequired[ServerState]
    #: With `?own_keys=1`: why it does not run, and what it was last started with.
    reason: NotRequired[str | None]
    profile: NotRequired[str | None]
    profile_version: NotRequired[int | None]
    options: NotRequired[dict[str, Any]]


class UserModel(TypedDict):
    """A user."""

    kind: Literal["user"]
    name: str
    admin: NotRequired[bool]
    roles: NotRequired[list[str]]
    groups: NotRequired[list[str]]
    server: NotRequired[str | None]
    pending: NotRequired[Literal["spawn", "stop"] | None]
    created: NotRequired[Moment]
    last_activity: NotRequired[Moment | None]
    user_info: NotRequired[dict[str, Any] | None]
    auth_state: NotRequired[dict[str, Any] | None]
    servers: NotRequired[dict[str, ServerModel]]


class GroupModel(TypedDict):
    """A group."""

    kind: Literal["group"]
    name: str
    users: NotRequired[list[str]]
    properties: NotRequired[dict[str, Any]]
    roles: NotRequired[list[str]]


class ServiceModel(TypedDict):
    """A service."""

    kind: Literal["service"]
    name: str
    admin: bool
    roles: NotRequired[list[str]]
    url: NotRequired[str]
    prefix: NotRequired[str]
    command: NotRequired[list[str]]
    info: NotRequired[dict[str, Any]]
    display: NotRequired[bool]
    pid: NotRequired[int]


class Asking(TypedDict):
    """What every caller may know of itself."""

    token_id: str | None
    session_id: str | None
    scopes: Scopes


class UserAsking(UserModel, Asking):
    """The user who asks, and what they may do."""


class ServiceAsking(ServiceModel, Asking):
    """The service that asks, and what it may do."""


class TokenModel(TypedDict):
    """A token without its secret; it is a `user`'s or a `service`'s."""

    user: NotRequired[str]
    service: NotRequired[str]
    id: str
    kind: Literal["api_token"]
    roles: list[str]
    scopes: Scopes
    created: Moment
    last_activity: Moment | None
    expires_at: Moment | None
    note: str
    session_id: str | None
    oauth_client: str


class NewTokenModel(TokenModel):
    """A token that was just made; its secret is shown this once."""

    token: str


class TokenList(TypedDict):
    """Tokens of a user."""

    api_tokens: list[TokenModel]


class TradedToken(TypedDict):
    """A token in exchange for a name and password."""

    token: str
    user: UserModel
    id: str
    scopes: Scopes
    expires_at: Moment | None
    note: str


class BearerToken(TypedDict):
    """What the token endpoint answers (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class OAuthError(TypedDict):
    """What the token endpoint answers when it refuses (RFC 6749, section 5.2)."""

    error: str
    error_description: NotRequired[str]


class Name(TypedDict):
    """Somebody, by name alone."""

    name: str


class SharedServer(TypedDict):
    """A server as shares show it: enough to find it."""

    user: Name
    name: str
    url: str
    full_url: str | None
    ready: bool


class ShareModel(TypedDict):
    """Somebody who may use a server."""

    server: SharedServer
    scopes: Scopes
    user: Name | None
    group: Name | None
    kind: Literal["user", "group"]
    created_at: Moment
    #: With `?own_keys=1`.
    level: NotRequired[Literal["view", "use"]]
    expires_at: NotRequired[Moment | None]


class ShareCodeModel(TypedDict):
    """A code that opens a server to whoever has it, without its secret."""

    server: SharedServer
    scopes: Scopes
    id: str
    created_at: Moment
    expires_at: Moment | None
    exchange_count: int
    last_exchanged_at: Moment | None


class NewShareCode(ShareCodeModel):
    """A code that was just made; it is shown this once."""

    code: str
    accept_url: str
    full_accept_url: str | None


class Nothing(TypedDict):
    """An empty object."""


class RouteData(TypedDict):
    """Whose server a route leads to."""

    user: str
    server_name: str
    last_activity: Moment | None


class RouteModel(TypedDict):
    """A path that the proxy sends to a server."""

    routespec: str
    target: str
    data: RouteData


class Step(TypedDict):
    """Something that happened on the way."""

    progress: int
    message: str
    #: While it has to wait; told again when its place changes.
    queue: NotRequired[QueueModel]


class Ready(Step):
    """The last event of a start that went well."""

    ready: Literal[True]
    html_message: str
    url: str


class Failed(Step):
    """The last event of a start that did not go well."""

    failed: Literal[True]


class Output(TypedDict):
    """The latest output of the server."""

    log: str


class AuditEntry(TypedDict):
    """Who did what to whom."""

    id: int
    at: Moment
    actor: str
    on_behalf_of: str | None
    action: str
    target: str
    before: Any
    after: Any
    address: str | None
    request_id: str | None


class AuditPage(TypedDict):
    """Entries of the audit log; `next` is where the next page begins (`before`), null on the last."""

    entries: list[AuditEntry]
    next: int | None


class Told(TypedDict):
    """A sentence."""

    message: str


class Problem(TypedDict):
    """Why a request was refused."""

    status: int
    message: str


class Place(TypedDict):
    """Where the next page begins."""

    offset: int
    limit: int
    url: str


class Pagination(TypedDict):
    """Where a page stands among all items."""

    offset: int
    limit: int
    total: int
    next: Place | None


class Page(TypedDict, Generic[Item]):
    """A page of a list, with its place."""

    items: Item
    _pagination: Pagination
