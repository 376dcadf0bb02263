"""Every setting of the hub: frozen, grouped, each with its reason.

The file is YAML; environment variables override single values (`load`). Names of keys are
the names of the fields here, with `-` and `_` both accepted nowhere: one spelling only.
Durations are seconds, or text such as `30s`, `5m`, `12h`, `14d`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.settings import app_hosts
from apphub.settings.cluster import Cluster
from apphub.settings.login import Login, PasswordLogin, SharedPasswordLogin
from apphub.settings.look import Look
from apphub.settings.policy import GroupLoss
from apphub.settings.profile import SAMPLE, Option, Profile
from apphub.settings.programs import Programs
from apphub.settings.quota import Quota
from apphub.settings.references import dangling
from apphub.settings.values import (
    Bind,
    Duration,
    FilePath,
    GroupName,
    PlainSecret,
    Properties,
    RoleName,
    Secret,
    Section,
    Size,
    Slug,
    UserName,
    Word,
)

__all__ = [
    "TLS",
    "Group",
    "Limits",
    "Login",
    "Option",
    "PasswordLogin",
    "Processes",
    "Profile",
    "Role",
    "Section",
    "Service",
    "Settings",
    "SharedPasswordLogin",
    "Timeouts",
    "Tokens",
    "effective_profiles",
]


def _ports(value: Any) -> Any:
    try:
        first, last = (int(port) for port in value)
    except (TypeError, ValueError):
        first, last = 0, 0
    if not 1024 <= first <= last <= 65535:
        raise ValueError("must be two ports from 1024 to 65535, the lower one first")
    return (first, last)


class TLS(Section):
    """Certificate of the public port; read again when the files change."""

    certificate: FilePath = Field(description="PEM file with the certificate chain.")
    key: FilePath = Field(description="PEM file with the private key.")


class Role(Section):
    """A named set of scopes and who holds it."""

    name: RoleName = Field(description="Its name; or that of a built-in role.")
    description: str = Field(default="", max_length=1000, description="What it is for.")
    scopes: tuple[str, ...] | None = Field(
        default=None, description="Scopes it gives; leave out to only add holders to a built-in role."
    )
    users: tuple[UserName, ...] = Field(default=(), description="People who hold it.")
    groups: tuple[str, ...] = Field(default=(), description="Groups whose members hold it.")
    services: tuple[str, ...] = Field(default=(), description="Services that hold it.")


def misfit_of_address(url: str) -> str | None:
    """What is wrong with where a service listens, if anything."""
    if url.startswith("https://"):
        return (
            "must begin with http://: the edge speaks plain HTTP to services. Have it listen on loopback "
            "without TLS, or leave `url` out and give `oauth_redirect_uri` where it is served elsewhere"
        )
    if not re.fullmatch(r"http://[^\s?#@]+", url):
        return "must be an address such as http://127.0.0.1:9000"
    return None


class Service(Section):
    """A program that talks to the hub: by API token, or by signing people in with OAuth 2."""

    name: Slug = Field(description="Its name in addresses and in the API.")
    api_token: Annotated[Secret, Field(min_length=16)] | None = Field(
        default=None, description="The token it calls the API with; at least 16 characters."
    )
    roles: tuple[str, ...] = Field(default=(), description="Roles it holds.")
    admin: bool = Field(default=False, description="The same as the role `admin`.")
    url: str | None = Field(default=None, description="Where it listens, to be served at /services/NAME/.")
    command: tuple[str, ...] = Field(
        default=(), description="Program of a service that the hub runs itself: started, restarted, stopped."
    )
    environment: dict[str, str] = Field(default_factory=dict, description="Of that program.")
    cwd: str = Field(default="", description="Its working folder; default: the hub's data folder.")
    user: str = Field(default="", description="System account it runs as (needs root); default: the hub's.")
    info: Properties = Field(default_factory=dict, description="Anything; shown by the API.")
    display: bool = Field(default=True, description="Show it on the home page.")
    oauth_client_id: str | None = Field(default=None, description="Default: service-NAME.")
    oauth_redirect_uri: str | None = Field(
        default=None, description="Where sign-ins return to; default: /services/NAME/oauth_callback."
    )
    oauth_client_allowed_scopes: tuple[str, ...] = Field(
        default=(), description="Scopes that its users' tokens may hold."
    )
    oauth_no_confirm: bool = Field(default=False, description="Skip the consent page.")

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and (problem := misfit_of_address(value)):
            raise ValueError(problem)
        return value


class Group(Section):
    """A group of people. Members named here are guaranteed; others may come and go by the API."""

    members: tuple[UserName, ...] = Field(default=(), description="People who are always in it.")
    properties: Properties = Field(default_factory=dict, description="Anything; shown by the API.")
    limits: Quota = Field(
        default=Quota(), description="What the servers of its members may take together; more waits."
    )


class Limits(Quota):
    """How much at once. 0 means no limit."""

    named_servers_per_user: int = Field(default=10, ge=0, description="Servers with a name, of one user.")
    concurrent_starts: int = Field(
        default=100, ge=0, description="Servers starting at the same time; more wait."
    )
    active_servers: int = Field(
        default=0,
        ge=0,
        description="Servers wanted, waiting or running, in the whole hub; more are refused (429).",
    )
    user: Quota = Field(default=Quota(), description="What the servers of each user may take; more waits.")


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
    undo: Duration = Field(
        default=timedelta(seconds=30),
        description="A server that was deleted on a page can be brought back for so long.",
    )
    poll: Duration = Field(
        default=timedelta(seconds=30), description="Between two looks at a running server."
    )


class Tokens(Section):
    """Life times of tokens."""

    password_life: Duration = Field(
        default=timedelta(hours=12),
        description="Longest life of tokens traded for a name and password; `0`: no end.",
    )
    maximum_life: Duration | None = Field(default=None, description="Longest life a new token may have.")
    oauth_life: Duration = Field(
        default=timedelta(days=14), description="Access tokens of apps and services."
    )


class Audit(Section):
    """The log of who did what."""

    keep: Duration = Field(
        default=timedelta(days=365), description="Entries older than this are forgotten. 0: never."
    )


class Processes(Section):
    """The process runtime: servers are processes of this machine."""

    run_as: Literal["same", "system-user"] = Field(
        default="same",
        description="`same`: the hub's own account, a trial in which users are not protected from each "
        "other; `system-user`: the system account of the user's name (needs root).",
    )
    ports: Annotated[tuple[int, int], BeforeValidator(_ports), Word("two numbers")] = Field(
        default=(20000, 29999), description="First and last port for servers."
    )
    log_size: Size = Field(default=1_000_000, description="Bytes of output kept per server.")


class EdgeSettings(Section):
    """What the edge does for apps that it guards."""

    pass_life: Duration = Field(
        default=timedelta(minutes=5),
        description="A visitor's pass is checked by the edge alone for so long, then renewed by asking the "
        "hub once. Taking rights away counts at once all the same.",
    )
    stream_life: Duration = Field(
        default=timedelta(hours=1),
        description="Any request to a guarded app, also an open websocket or event stream, ends after so long at "
        "the latest; apps connect again by themselves. What visitors have open who may no longer visit ends "
        "within moments; this is the bound for programs with a token. 0: never.",
    )


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
    tls: TLS | None = Field(default=None, description="Certificate of the public port; none: plain HTTP.")
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies in front of the public port whose X-Forwarded-For counts.",
    )
    apps_domain: str | None = Field(
        default=None,
        description="Domain below which each app that the edge guards has a host of its own, e.g. "
        "apps.example.org: every name below it must lead here, and be in the certificate. Best one that is "
        "registered apart from the hub's. Needs `public_url`.",
    )
    data_dir: FilePath = Field(
        default=Path("apphub-data"),
        validate_default=True,
        description="Everything the hub keeps on disk; beside the settings file unless an absolute path.",
    )
    database: PlainSecret | None = Field(
        default=None,
        repr=False,
        description="postgresql://… (over a network: with ?sslmode=verify-full); default: SQLite in the data folder.",
    )
    cluster: Cluster = Field(default=Cluster(), description="Hubs and edges on several machines.")
    login: Login = Field(default=Login(), description="How people sign in.")
    services: tuple[Service, ...] = Field(default=(), description="Programs that talk to the hub.")
    roles: tuple[Role, ...] = Field(default=(), description="Named sets of scopes and their holders.")
    groups: dict[GroupName, Group] = Field(
        default_factory=dict, description="Groups that exist from the start, by name."
    )
    profiles: tuple[Profile, ...] | None = Field(
        default=None, description="Apps that may be launched; left out: the sample `profile_1_slug`."
    )
    profile_files: tuple[FilePath, ...] = Field(
        default=(),
        description="More profiles: files as EOEPCA's Application Hub reads them (its `config.yml`).",
    )
    images: Programs = Field(
        default_factory=dict,
        description="How processes run what is made for an image, by image (with or without its tag): keys of a "
        "profile that say so, such as `kind`, `command` and `environment_path`.",
    )
    config_maps: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Texts that profiles of `profile_files` take from config maps which no file holds: by "
        "config map, then by key. Not for secrets.",
    )
    on_group_loss: GroupLoss = Field(
        default="block",
        description="What happens to a running server when its owner may no longer start its profile: `block` "
        "(it goes on, and cannot be started again), `stop`, or `grace TIME` (stopped after that time).",
    )
    limits: Limits = Field(default=Limits(), description="How much at once.")
    timeouts: Timeouts = Field(default=Timeouts(), description="How long things may take.")
    tokens: Tokens = Field(default=Tokens(), description="Life times of tokens.")
    audit: Audit = Field(default=Audit(), description="The log of who did what.")
    runtime: Literal["process", "none"] = Field(
        default="process",
        description="`process`: servers are processes of this machine; `none`: nothing is started, for "
        "measuring the hub itself.",
    )
    processes: Processes = Field(default=Processes(), description="How servers run as processes.")
    edge: EdgeSettings = Field(default_factory=EdgeSettings, description="Apps that the edge guards.")
    landing: Literal["home", "spawn"] = Field(
        default="home",
        description="First page after signing in. `spawn` is JupyterHub's way: the default server is started "
        "at once when its profile leaves nothing to choose.",
    )
    pages: Look = Field(default_factory=Look, description="How the pages look.")
    announcement: str = Field(default="", max_length=1000, description="Shown on every page.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` for machines: one object per line."
    )
    language: str = Field(default="en", description="Language of the pages where the browser names none.")

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str) -> str:
        if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/)*", value):
            raise ValueError("must be a path with a slash at both ends, of letters, digits and . _ ~ -")
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#@]+/?", value):
            raise ValueError("must be scheme, host and perhaps a port only, such as https://hub.example")
        return value.rstrip("/") if value else value

    @field_validator("apps_domain")
    @classmethod
    def _domain(cls, value: str | None) -> str | None:
        return app_hosts.domain(value) if value else None

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"(postgres(ql)?|sqlite)(\+[a-z0-9]+)?://", value):
            raise ValueError("must begin with postgresql:// (left out: SQLite in the data folder)")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        return self._refuse([*dangling(self), *app_hosts.problems(self)])

    @property
    def secret_key_file(self) -> Path:
        """Where the hub's one secret is."""
        return self.cluster.secret_key or self.data_dir / "secret.key"

    @property
    def apps(self) -> AppHosts | None:
        """The hosts of apps that have their own."""
        if self.apps_domain is None or self.public_url is None:
            return None
        return AppHosts.beside(self.apps_domain, self.public_url)


def effective_profiles(settings: Settings) -> tuple[Profile, ...]:
    """The profiles on offer: those of the settings, or the built-in sample where they name none."""
    return settings.profiles if settings.profiles is not None else (SAMPLE,)
