"""Settings of one app that may be launched, and of what may be chosen when it is.

What one profile can know about itself is checked here, each problem at its own place:
whether placeholders exist, expressions compile, defaults fit. Filling in the placeholders
is the launch's part (`servers/launch`); this module only promises that it can be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from apphub.settings.container import Container
from apphub.settings.placeholders import unknown_placeholders
from apphub.settings.policy import GroupLoss
from apphub.settings.quota import Quota
from apphub.settings.values import Duration, FilePath, Place, Section, Size, Slug, VariableName, Word

_OPTION = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _scalar(value: Any) -> Any:
    if isinstance(value, str | int | float | bool):
        return value
    raise ValueError("must be a text, a number, true or false")


def _choice(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    raise ValueError("must be a text or a number")


def _groups(value: Any) -> Any:
    if value == "everyone" or (
        isinstance(value, list | tuple | set | frozenset) and all(isinstance(name, str) for name in value)
    ):
        return value
    raise ValueError("must be a list of names of groups, or `everyone`")


def _option_name(name: str) -> str:
    if name == "profile":
        raise ValueError("is taken: it is the key that selects the profile")
    if not _OPTION.fullmatch(name):
        raise ValueError("the name of an option has 1 to 64 letters, digits and . _ -")
    return name


class Option(Section):
    """One thing that may be chosen when a profile is started."""

    type: Literal["string", "integer", "number", "boolean"] = Field(
        default="string", description="What kind of value it is."
    )
    title: str = Field(default="", max_length=200, description="Shown in the form; default: its name.")
    description: str = Field(default="", max_length=2000, description="One sentence of help in the form.")
    default: (
        Annotated[str | int | float | bool, BeforeValidator(_scalar), Word("text, number or true/false")]
        | None
    ) = Field(default=None, description="Used when nothing is chosen; left out: a choice is required.")
    choices: (
        tuple[Annotated[str | int | float, BeforeValidator(_choice), Word("text or number")], ...] | None
    ) = Field(default=None, min_length=1, description="The only values allowed.")
    minimum: float | None = Field(default=None, description="Smallest number allowed.")
    maximum: float | None = Field(default=None, description="Largest number allowed.")
    max_length: int = Field(default=200, ge=1, le=4096, description="Longest text allowed.")
    pattern: str | None = Field(
        default=None, max_length=1000, description="Regular expression for the whole text."
    )

    def misfit(self, value: Any) -> str | None:
        """Why the value cannot be chosen, in words that follow its name; None when it can."""
        if not self._has_type(value):
            return f"must be {_A[self.type]}" + ("; put it in quotes" if self.type == "string" else "")
        if self.choices is not None and value not in self.choices:
            return f"must be one of the choices: {', '.join(map(str, self.choices))}"
        if isinstance(value, str):
            return self._text_misfit(value)
        if self.minimum is not None and value < self.minimum:
            return f"must be {self.minimum:g} or more"
        if self.maximum is not None and value > self.maximum:
            return f"must be {self.maximum:g} or less"
        return None

    def _text_misfit(self, value: str) -> str | None:
        if len(value) > self.max_length:
            return f"must have at most {self.max_length} characters"
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f"must match the pattern {self.pattern}"
        return None

    def _has_type(self, value: Any) -> bool:
        if self.type == "string":
            return isinstance(value, str)
        if self.type == "boolean":
            return isinstance(value, bool)
        wanted = int if self.type == "integer" else int | float
        return isinstance(value, wanted) and not isinstance(value, bool)

    @model_validator(mode="after")
    def _fits_itself(self) -> Self:
        problems = list(self._bounds()) or list(self._values())
        return self._refuse(problems)

    def _bounds(self) -> Iterator[tuple[Place, str]]:
        for name in ("minimum", "maximum"):
            if getattr(self, name) is not None and self.type not in ("integer", "number"):
                yield (name,), f"is only for numbers, and the option is {_A[self.type]}"
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield ("maximum",), "must not be less than `minimum`"
        if self.choices is not None and self.type == "boolean":
            yield ("choices",), "are not for true or false"
        if self.pattern is not None:
            if self.type != "string":
                yield ("pattern",), f"is only for text, and the option is {_A[self.type]}"
            try:
                re.compile(self.pattern)
            except (re.error, OverflowError, RecursionError) as error:
                yield ("pattern",), f"is not a regular expression: {error}"

    def _values(self) -> Iterator[tuple[Place, str]]:
        for position, choice in enumerate(self.choices or ()):
            if problem := self.misfit(choice):
                yield ("choices", position), problem
        if self.default is not None and (problem := self.misfit(self.default)):
            yield ("default",), problem


_A = {"string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


HeaderName = Annotated[str, Field(pattern=r"^(?i:x|remote)-[A-Za-z0-9-]{1,60}$")]


class IdentityHeaders(Section):
    """Headers that tell an app guarded by the edge who visits, beside the signed one. Copies sent by
    visitors never reach the app.
    """

    user: HeaderName | None = Field(default="X-Forwarded-User", description="Name of the visitor.")
    groups: HeaderName | None = Field(
        default="X-Forwarded-Groups", description="Groups of the visitor, separated by commas."
    )


class Profile(Section):
    """An app that may be launched, and by whom.

    `command`, `environment`, `default_url` and `working_dir` may hold `{user}`, `{server}`,
    `{ip}`, `{port}`, `{prefix}` (path with slashes at both ends), `{base}` (the same without
    the last slash) and `{option:NAME}`; braces are doubled to be meant as such.
    """

    slug: Slug = Field(description="Its name in addresses and in the API; never change it.")
    display_name: str = Field(default="", max_length=200, description="Shown to people; default: the slug.")
    description: str = Field(
        default="", max_length=2000, description="One or two sentences for the catalogue."
    )
    icon: str = Field(default="", max_length=200, description="An emoji, or the name of a built-in icon.")
    groups: Annotated[
        tuple[str, ...] | Literal["everyone"], BeforeValidator(_groups), Word("list of text, or `everyone`")
    ] = Field(default=(), description="Groups whose members may start it; `everyone`; none: nobody.")
    default: bool = Field(default=False, description="Used by starts that name no profile.")
    kind: Literal["command", "jupyterhub-singleuser", "hello", "image"] = Field(
        default="command",
        description="`command`: the command below; `jupyterhub-singleuser`: that program, found in "
        "`environment_path`; `hello`: the small page that comes with the hub; `image`: what the image of "
        "`container` starts, which takes a runtime that runs images.",
    )
    command: tuple[str, ...] = Field(
        default=(), description="Program and arguments, one item each; no shell reads them."
    )
    environment_path: FilePath | None = Field(
        default=None, description="Folder of a Python environment whose `bin` goes first on PATH."
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="Environment variables of the app. Not for secrets."
    )
    options_variable: VariableName | None = Field(
        default=None,
        description="Environment variable that receives the options of the start as JSON.",
    )
    default_url: str = Field(default="", max_length=500, description="Path below the app to open first.")
    working_dir: str = Field(
        default="", max_length=500, description="Folder the app starts in; default: the user's home."
    )
    memory_limit: Size | None = Field(default=None, description="Most memory it may use.")
    memory_guarantee: Size | None = Field(default=None, description="Memory kept for it.")
    cpu_limit: float | None = Field(default=None, gt=0, description="Most processors it may use, e.g. 0.5.")
    cpu_guarantee: float | None = Field(default=None, gt=0, description="Processors kept for it.")
    limits: Quota = Field(
        default=Quota(), description="What all its servers may take together; a start beyond that waits."
    )
    start_timeout: Duration | None = Field(
        default=None, description="Longest start; default: `timeouts.start`."
    )
    idle_timeout: Duration | None = Field(
        default=None, description="Stopped after so long without use; left out: never."
    )
    ready_path: str = Field(default="", max_length=500, description="Path below the app asked for readiness.")
    auth: Literal["edge", "hub"] | None = Field(
        default=None,
        description="Who asks visitors who they are: `edge`, the hub's own edge, so that the app needs nothing "
        "for it; `hub`, the app itself by the hub's OAuth. Default: `edge` for commands.",
    )
    strip_prefix: bool = Field(
        default=False,
        description="Whether the app is asked without its path prefix (only with `auth: edge`).",
    )
    own_domain: bool = Field(
        default=True,
        description="Whether it lives on a host of its own where `apps_domain` is set (only with `auth: edge`); "
        "`false`: below the hub's path all the same.",
    )
    identity_headers: IdentityHeaders = Field(
        default_factory=IdentityHeaders, description="Plain headers that say who visits."
    )
    options: dict[Annotated[str, AfterValidator(_option_name)], Option] = Field(
        default_factory=dict, description="What may be chosen at a start."
    )
    extra_options: Literal["refuse", "allow"] = Field(
        default="refuse", description="What happens to options that are not declared."
    )
    on_group_loss: GroupLoss | None = Field(
        default=None,
        description="What happens to its running servers when their owner may no longer start it; default: "
        "`on_group_loss` of the hub.",
    )
    container: Container | None = Field(
        default=None, description="The container it is made for: image, files, volumes, and more."
    )

    @property
    def guarded(self) -> bool:
        """Whether the edge asks visitors who they are."""
        return self.auth == "edge" or (self.auth is None and self.kind == "command")

    @model_validator(mode="after")
    def _fits_itself(self) -> Self:
        return self._refuse([*self._kind(), *self._guarantees(), *unknown_placeholders(self)])

    def _kind(self) -> Iterator[tuple[Place, str]]:
        if self.kind == "command" and not (self.command and self.command[0]):
            yield ("command",), "is missing: a profile of kind `command` needs one"
        if self.kind != "command" and self.command:
            yield ("command",), f"must be left out: a profile of kind `{self.kind}` brings its own"

        if self.kind == "image" and (self.container is None or not self.container.image):
            yield ("container",), "is missing: a profile of kind `image` needs its `image`"
        if self.kind not in ("command", "image") and self.auth == "edge":
            yield ("auth",), f"must be `hub`: a profile of kind `{self.kind}` asks by itself"
        if self.strip_prefix and not self.guarded:
            yield ("strip_prefix",), "is only for apps with `auth: edge`"

    def _guarantees(self) -> Iterator[tuple[Place, str]]:
        for what in ("memory", "cpu"):
            kept, most = getattr(self, f"{what}_guarantee"), getattr(self, f"{what}_limit")
            if kept is not None and most is not None and kept > most:
                yield (f"{what}_guarantee",), f"must not be more than `{what}_limit`"


#: What may be launched where the settings say nothing.
SAMPLE = Profile(
    slug="profile_1_slug",
    display_name="Hello",
    description="A small page that shows that everything works.",
    groups="everyone",
    default=True,
    kind="hello",
)
