"""Kinds of values that settings are made of, and the base of all groups of settings.

Each kind reads what people write in a file or a variable and says in words what it wants.
`Word` names the kind for messages and for the reference. Paths and secrets need to know
where they were written, for relative paths start there: the loader passes a `Reading` as
pydantic's validation context, and marks text that is not from the file as `Given`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from msgspec import Struct, field
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from apphub.kit.addresses import Address
from apphub.kit.names import SLUG, is_name, user_name

#: Where a problem is: keys and list positions, from the top.
Place = tuple[str | int, ...]

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", re.ASCII)
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_LONGEST_SECRET = 64 * 1024


class Given(str):
    """Text from a variable or the command line: relative paths in it start at the working directory."""


class Reading(Struct, frozen=True):
    """What values need to know while they are read, and what is learned on the way."""

    #: Folder of the settings file.
    folder: Path
    #: Files that secrets were read from.
    secret_files: list[Path] = field(default_factory=list)

    def path(self, text: str | Path) -> Path:
        """The path meant by what was written."""
        try:
            path = Path(text).expanduser()
        except RuntimeError:
            raise ValueError("`~` names no folder here; write the whole path") from None
        return Path.cwd() / path if isinstance(text, Given) else self.folder / path


class Word(Struct, frozen=True):
    """The name of a kind of value in messages and in the reference."""

    text: str


class Section(BaseModel):
    """Base of all groups of settings: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_means_left_out(cls, data: Any) -> Any:
        """Read `limits:` with every line below it commented out as if the key was not there."""
        if data is None:
            return {}
        if isinstance(data, Mapping):
            return {
                key: value for key, value in data.items() if value is not None or key not in cls.model_fields
            }
        return data

    def _refuse(self, problems: list[tuple[Place, str]]) -> Self:
        """The section, unless there are problems: then each is raised with its own place."""
        if problems:
            raise located(type(self).__name__, problems)
        return self


def entry(parent: Any, key: str) -> Any:
    """What a section holds under a key, whether it is still raw or finished; None when nothing."""
    return parent.get(key) if isinstance(parent, Mapping) else getattr(parent, key, None)


def located(title: str, problems: list[tuple[Place, str]]) -> ValidationError:
    """One error that holds several problems, each at a place of its own."""
    return ValidationError.from_exception_data(
        title,
        [
            # The words go in as a value: they may hold braces, which a template would fill.
            InitErrorDetails(
                type=PydanticCustomError("in_words", "{words}", {"words": words}), loc=place, input=None
            )
            for place, words in problems
        ],
    )


def _duration(value: Any) -> Any:
    try:
        if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
            return timedelta(**{_UNITS[match[2] or "s"]: float(match[1])})
        if isinstance(value, int | float) and not isinstance(value, bool):
            return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise ValueError("must be a shorter time") from None
    if isinstance(value, timedelta):
        return value
    raise ValueError("must be a number of seconds, or text such as 30s, 5m, 12h or 14d")


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("cannot be negative")
    return value


def parse_size(value: Any) -> Any:
    """A number of bytes, or text such as 512M or 2G; raises `ValueError` in words."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = float(match[1]) * _SIZES[match[2].lower()]
        return int(min(size, 2.0**64))
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("must be a number of bytes, or text such as 512M or 2G")


def _address(value: Any) -> Any:
    if isinstance(value, str):
        return Address.parse(value)
    if isinstance(value, Address):
        return value
    raise ValueError("must be text such as 127.0.0.1:8000 or [::1]:8000")


def _group_name(name: str) -> str:
    if not is_name(name):
        raise ValueError("cannot name a group: 1 to 255 printable characters, no slash, no space at the ends")
    return name


def _path(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("must be a path")
    reading = info.context
    return reading.path(value) if isinstance(reading, Reading) else Path(value)


def _secret(value: Any, info: ValidationInfo) -> Any:
    reading = info.context
    if not isinstance(value, Mapping) or not isinstance(reading, Reading):
        return value
    if set(value) != {"file"} or not isinstance(value["file"], str):
        raise ValueError("must be text, or `{file: PATH}` to read it from a file of its own")
    path = reading.path(value["file"])
    text = _first_line(path)
    reading.secret_files.append(path)
    return text


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST_SECRET + 1)
        text = raw.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {(error.strerror or 'it failed').lower()}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text (UTF-8)") from None
    if not text or len(raw) > _LONGEST_SECRET or "\n" in text:
        raise ValueError(f"{path} must hold the secret on one line, and nothing else")
    return text


class SecretFile(Section):
    """Where a secret is kept, instead of the secret."""

    # For the schema only: `_secret` reads what is written.

    file: str = Field(description="File with the secret on its one line; mode 0600 advised.")


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str | float),
    AfterValidator(_not_negative),
    Word("duration"),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=str | int),
    Field(gt=0, lt=2**63),
    Word("size"),
]
Bind = Annotated[Address, BeforeValidator(_address, json_schema_input_type=str), Word("address")]
FilePath = Annotated[Path, BeforeValidator(_path, json_schema_input_type=str), Word("path")]
Secret = Annotated[
    SecretStr, BeforeValidator(_secret, json_schema_input_type=str | SecretFile), Word("secret")
]
#: A secret that the code holds as plain text: kept out of `repr` by its field.
PlainSecret = Annotated[
    str, BeforeValidator(_secret, json_schema_input_type=str | SecretFile), Word("secret")
]
GroupName = Annotated[str, AfterValidator(_group_name)]
UserName = Annotated[str, AfterValidator(user_name)]
Slug = Annotated[str, Field(pattern=SLUG.pattern, max_length=63)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]$")]

#: What patterns want, for people.
PATTERN_WORDS = {
    SLUG.pattern: "must be lower-case letters, digits and . _ -, with a letter or digit at both ends",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "must be letters, digits and _, and not begin with a digit",
    r"^[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]$": "must be 3 to 255 lower-case letters, digits and - _ ~ ., "
    "a letter first and a letter or digit last",
}
Properties = dict[str, Any]
