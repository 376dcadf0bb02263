"""Every setting of the hub: frozen, grouped, each with its reason.

The file is YAML; environment variables override single values (`load`). Names of keys are
the names of the fields here, with `-` and `_` both accepted nowhere: one spelling only.
Durations are seconds, or text such as `30s`, `5m`, `12h`, `14d`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from apphub.kit.addresses import Address
from apphub.kit.names import SLUG, user_name

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, timedelta):
        return value
    raise ValueError("a duration is a number of seconds, or text such as 30s, 5m, 12h or 14d")


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("a duration cannot be negative")
    return value


def _size(value: Any) -> Any:
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        return int(float(match[1]) * _SIZES[match[2].lower()])
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a size is a number of bytes, or text such as 512M or 2G")


def _address(value: Any) -> Any:
    return Address.parse(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str | float),
    AfterValidator(_not_negative),
]
Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=str | int), Field(gt=0)]
Bind = Annotated[Address, BeforeValidator(_address, json_schema_input_type=str)]
UserName = Annotated[str, AfterValidator(user_name)]
Slug = Annotated[str, Field(pattern=SLUG.pattern, max_length=63)]
Properties = dict[str, Any]


class Section(BaseModel):
    """Base of all groups of settings: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TLS(Section):
    """Certificate of the public port; read again when the files change."""

    certificate: Path = Field(description="PEM file with the certificate chain.")
    key: Path = Field(description="PEM file with the private key.")


class PasswordLogin(Section):
    """Accounts with a password kept by the hub (argon2id)."""

    enabled: bool = True
    minimum_length: int = Field(default=10, ge=1, le=128, description="Shortest new password.")
    token_endpoint: bool = Field(
        default=True,
        description="Let programs trade a name and password for a token at /authorizations/token.",
    )


class SharedPasswordLogin(Section):
    """Any name with one password: for trials and tests on a closed network only."""

    password: SecretStr = Field(description="The one password.")
    create_users: bool = Field(default=True, description="A first sign-in makes the account.")
    token_endpoint: bool = Field(
        default=True,
        description="Let programs trade a name and the password for a token at /authorizations/token.",
    )


class Login(Section):
    """How people prove who they are, and what follows from it."""

    password: PasswordLogin = PasswordLogin()
    shared_password: SharedPasswordLogin | None = None
    admins: tuple[UserName, ...] = Field(
        default=(), description="Accounts that exist from the start and are administrators."
    )
    session_life: Duration = Field(default=timedelta(days=14), description="A sign-in lasts this long.")
    failures_per_account: int = Field(
        default=10, ge=1, description="Failed sign-ins per account and window before a pause (429)."
    )
    failures_per_address: int = Field(
        default=100,
        ge=1,
        description="The same per client address (IPv6: per /64), looser: many people share one.",
    )
    failure_window: Duration = Field(default=timedelta(minutes=15))


class Role(Section):
    """A named set of scopes and who holds it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]$")
    description: str = Field(default="", max_length=1000)
    scopes: tuple[str, ...] | None = Field(
        default=None, description="Scopes it gives; leave out to only add holders to a built-in role."
    )
    users: tuple[UserName, ...] = ()
    groups: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Service(Section):
    """A program that talks to the hub: by API token, or by signing people in with OAuth 2."""

    name: Slug
    api_token: SecretStr | None = Field(default=None, min_length=16)
    roles: tuple[str, ...] = Field(default=(), description="Roles it holds.")
    admin: bool = Field(default=False, description="The same as the role `admin`.")
    url: str | None = Field(default=None, description="Where it listens, to be served at /services/NAME/.")
    info: Properties = Field(default_factory=dict, description="Anything; shown by the API.")
    display: bool = Field(default=True, description="Show it on the home page.")
    oauth_client_id: str | None = Field(default=None, description="Default: service-NAME.")
    oauth_redirect_uri: str | None = None
    oauth_client_allowed_scopes: tuple[str, ...] = ()
    oauth_no_confirm: bool = Field(default=False, description="Skip the consent page.")


class Group(Section):
    """A group of people. Members named here are guaranteed; others may come and go by the API."""

    members: tuple[UserName, ...] = ()
    properties: Properties = Field(default_factory=dict)


class Option(Section):
    """One thing that may be chosen when a profile is started."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    title: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    default: str | int | float | bool | None = Field(
        default=None, description="Used when nothing is chosen; none: a choice is required."
    )
    choices: tuple[str | int | float, ...] | None = Field(default=None, min_length=1)
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = Field(default=200, ge=1, le=4096)
    pattern: str | None = Field(default=None, description="Regular expression for the whole text.")


class Profile(Section):
    """An app that may be launched, and by whom.

    `command`, `environment` and `default_url` may hold `{user}`, `{server}`, `{ip}`, `{port}`,
    `{prefix}` (path with slashes at both ends), `{base}` (the same without the last slash) and
    `{option:NAME}`; braces are doubled to be meant as such.
    """

    slug: Slug
    display_name: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    icon: str = Field(default="", max_length=200, description="An emoji, or the name of a built-in icon.")
    groups: tuple[str, ...] | Literal["everyone"] = Field(
        default=(), description="Groups whose members may start it; `everyone`; none: nobody but admins."
    )
    default: bool = Field(default=False, description="Used by starts that name no profile.")
    kind: Literal["command", "jupyterhub-singleuser", "hello"] = Field(
        default="command",
        description="`command`: the command below; `jupyterhub-singleuser`: that program, found in "
        "`environment_path`; `hello`: the small page that comes with the hub.",
    )
    command: tuple[str, ...] = ()
    environment_path: Path | None = Field(
        default=None, description="Folder of a Python environment whose `bin` goes first on PATH."
    )
    environment: dict[str, str] = Field(default_factory=dict)
    options_variable: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable that receives the options of the start as JSON.",
    )
    default_url: str = Field(default="", max_length=500, description="Path below the app to open first.")
    working_dir: str = Field(default="", max_length=500)
    memory_limit: Size | None = None
    memory_guarantee: Size | None = None
    cpu_limit: float | None = Field(default=None, gt=0)
    cpu_guarantee: float | None = Field(default=None, gt=0)
    start_timeout: Duration | None = Field(default=None, description="Default: timeouts.start.")
    ready_path: str = Field(default="", max_length=500, description="Path below the app asked for readiness.")
    options: dict[str, Option] = Field(default_factory=dict)
    extra_options: Literal["refuse", "allow"] = "refuse"

    @model_validator(mode="after")
    def _command_matches_kind(self) -> Profile:
        if self.kind == "command" and not self.command:
            raise ValueError("a profile of kind `command` needs a `command`")
        if self.kind != "command" and self.command:
            raise ValueError(f"a profile of kind `{self.kind}` brings its own command; leave `command` out")
        return self


class Limits(Section):
    """How much at once. 0 means no limit."""

    named_servers_per_user: int = Field(default=10, ge=0)
    concurrent_starts: int = Field(default=100, ge=0, description="Servers starting at the same time.")
    active_servers: int = Field(default=0, ge=0, description="Servers wanted or running, in the whole hub.")


class Timeouts(Section):
    """How long things may take."""

    start: Duration = Field(default=timedelta(seconds=120), description="From admission to an answer.")
    slow_spawn: Duration = Field(
        default=timedelta(seconds=10), description="A start request waits this long before it answers 202."
    )
    slow_stop: Duration = Field(
        default=timedelta(seconds=10), description="A stop request waits this long before it answers 202."
    )
    stop: Duration = Field(default=timedelta(seconds=10), description="From SIGTERM to SIGKILL.")
    poll: Duration = Field(
        default=timedelta(seconds=30), description="Between two looks at a running server."
    )


class Tokens(Section):
    """Life times of tokens."""

    password_life: Duration = Field(
        default=timedelta(hours=12), description="Tokens traded for a name and password."
    )
    maximum_life: Duration | None = Field(default=None, description="Longest life a new token may have.")
    oauth_life: Duration = Field(
        default=timedelta(days=14), description="Access tokens of apps and services."
    )


class Processes(Section):
    """The process runtime: servers are processes of this machine."""

    run_as: str = Field(
        default="same",
        description="`same`: the hub's own account, a trial in which users are not protected from each "
        "other; `system-user`: the system account of the user's name (needs root).",
    )
    ports: tuple[int, int] = Field(default=(20000, 29999), description="First and last port for servers.")
    log_size: Size = Field(default=1_000_000, description="Bytes of output kept per server.")

    @field_validator("run_as")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("same", "system-user"):
            raise ValueError("must be `same` or `system-user`")
        return value

    @field_validator("ports")
    @classmethod
    def _in_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1024 <= value[0] <= value[1] <= 65535:
            raise ValueError("two ports from 1024 to 65535, the lower one first")
        return value


class Settings(Section):
    """The whole file."""

    bind: tuple[Bind, ...] = Field(
        default=(Address("127.0.0.1", 8000),),
        min_length=1,
        description="Public addresses, for example 0.0.0.0:8000 or [::]:8000.",
    )
    hub_bind: Bind | None = Field(
        default=None,
        description="Loopback address on which servers reach the hub's API; default: a free port, kept.",
    )
    public_url: str | None = Field(
        default=None, description="The address people use, where it differs from `bind`: https://host[:port]."
    )
    base_url: str = Field(default="/", description="Path below which everything is served, e.g. /apps/.")
    tls: TLS | None = None
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies in front of the public port whose X-Forwarded-For counts.",
    )
    apps_domain: str | None = Field(default=None, description="Reserved; must be empty for now.")
    data_dir: Path = Field(default=Path("apphub-data"), description="Everything the hub keeps on disk.")
    database: str | None = Field(
        default=None, description="postgresql://… ; default: SQLite in the data folder."
    )
    login: Login = Login()
    services: tuple[Service, ...] = ()
    roles: tuple[Role, ...] = ()
    groups: dict[str, Group] = Field(default_factory=dict)
    profiles: tuple[Profile, ...] | None = Field(
        default=None, description="Apps that may be launched; left out: the sample `profile_1_slug`."
    )
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    tokens: Tokens = Tokens()
    processes: Processes = Processes()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    language: str = Field(default="en", description="Language of the pages where the browser names none.")

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str) -> str:
        if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/)*", value):
            raise ValueError("a path with a slash at both ends, of letters, digits and . _ ~ -")
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#@]+/?", value):
            raise ValueError("scheme, host and perhaps a port only, such as https://hub.example")
        return value.rstrip("/") if value else value

    @field_validator("apps_domain")
    @classmethod
    def _later(cls, value: str | None) -> str | None:
        if value:
            raise ValueError("apps on domains of their own are not supported yet; leave it out")
        return None

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        problems = list(self._doubles())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _doubles(self) -> list[str]:
        problems = []
        profiles = self.profiles or ()
        for what, names in (
            ("profiles", [profile.slug for profile in profiles]),
            ("services", [service.name for service in self.services]),
            ("roles", [role.name for role in self.roles]),
        ):
            problems += [
                f"{what}: {name!r} appears twice" for name in {n for n in names if names.count(n) > 1}
            ]
        if sum(profile.default for profile in profiles) > 1:
            problems.append("profiles: only one may be the default")
        return problems
