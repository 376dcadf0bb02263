"""The JSON that requests hold, one type an operation. `bodies.only` refuses every other key.

Values are read and checked by the handlers, in words; `null` always means that nothing was said.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

Names = Annotated[list[str], Meta(max_length=10_000)]
Scopes = Annotated[list[str], Meta(description="Scopes, with their filters.", max_length=1000)]
ShareScopes = Annotated[
    list[str], Meta(description="Scopes; `access:servers` when nothing is said.", max_length=100)
]
Life = Annotated[int, Meta(description="Seconds until it ends by itself.", ge=1, le=315_360_000)]
ShareLife = Annotated[int, Meta(description="Seconds until it ends by itself.", ge=60, le=31_536_000)]
Note = Annotated[str, Meta(max_length=1000)]


class CreateUsers(TypedDict):
    """Several users."""

    usernames: Annotated[list[str], Meta(min_length=1, max_length=10_000)]
    admin: NotRequired[bool | None]


class CreateUser(TypedDict, total=False):
    """One user; the name is in the path."""

    admin: bool | None


class ChangeUser(TypedDict, total=False):
    """What is to be different."""

    name: str | None
    admin: bool | None
    #: Kept out: this hub stores nothing of a sign-in.
    auth_state: None


class Seen(TypedDict):
    """When a server was last used."""

    last_activity: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Activity(TypedDict, total=False):
    """When a user and their servers were last active; at least one of both."""

    last_activity: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None
    servers: dict[str, Seen] | None


class Start(TypedDict, total=False):
    """A start, the structured form. Any other object is the options themselves."""

    user_options: dict[str, Any] | None
    display_name: str | None
    profile: str | None


class CreateServer(TypedDict, total=False):
    """A named server that is not started yet."""

    user_options: dict[str, Any] | None
    display_name: str | None


class ChangeServer(TypedDict, total=False):
    """What is to be different about a stopped server."""

    name: str | None
    display_name: str | None
    user_options: dict[str, Any]


class StopServer(TypedDict, total=False):
    """Whether to forget the server as well."""

    remove: bool | None


class CreateGroups(TypedDict):
    """Several groups, with the same members."""

    groups: Annotated[list[str], Meta(min_length=1, max_length=10_000)]
    users: NotRequired[list[str] | None]


class CreateGroup(TypedDict, total=False):
    """One group; the name is in the path."""

    users: list[str] | None
    properties: dict[str, Any] | None


class Members(TypedDict):
    """Users to add or to remove."""

    users: list[str]


class Auth(TypedDict):
    """A name and password."""

    username: str
    password: str


class CreateToken(TypedDict, total=False):
    """A token: what it may do, for how long, and what for."""

    note: Note | None
    expires_in: Life | None
    roles: Annotated[list[str], Meta(max_length=100)] | None
    scopes: Scopes | None
    #: Who asks, instead of a credential in the header.
    auth: Auth


class TradeToken(Auth):
    """A name and password, and what the token is to be."""

    note: NotRequired[Note | None]
    expires_in: NotRequired[Life | None]
    roles: NotRequired[Annotated[list[str], Meta(max_length=100)] | None]
    scopes: NotRequired[Scopes | None]


class TradeCode(TypedDict):
    """A code of an authorization (RFC 6749, section 4.1.3), as a form."""

    grant_type: str
    client_id: str
    client_secret: str
    code: str
    redirect_uri: NotRequired[str]
    code_verifier: NotRequired[str]


class CreateService(TypedDict, total=False):
    """An external service. `command` is refused: the settings declare such services."""

    name: Any
    admin: bool | None
    url: str | None
    api_token: str | None
    info: dict[str, Any] | None
    display: bool | None
    oauth_no_confirm: bool | None
    oauth_client_id: str | None
    oauth_redirect_uri: str | None
    oauth_client_allowed_scopes: Annotated[list[str], Meta(max_length=100)] | None
    command: Any
    cwd: Any
    environment: Any
    user: Any


class GrantShare(TypedDict, total=False):
    """With whom to share a server: exactly one of `user` and `group`. `level` is instead of scopes, and
    replaces what was given before.
    """

    user: str | None
    group: str | None
    level: Literal["view", "use"] | None
    scopes: ShareScopes | None
    expires_in: ShareLife | None


class RevokeShare(TypedDict, total=False):
    """Whose share to take back; without scopes the whole of it."""

    user: str | None
    group: str | None
    scopes: ShareScopes | None


class CreateCode(TypedDict, total=False):
    """What a code is to give."""

    scopes: ShareScopes | None
    expires_in: ShareLife | None


class MoveProxy(TypedDict, total=False):
    """What JupyterHub is told of a new proxy; only `null` is taken."""

    ip: None
    port: None
    protocol: None
    auth_token: None


class Shutdown(TypedDict, total=False):
    """What to stop with the hub."""

    proxy: bool
    servers: bool
