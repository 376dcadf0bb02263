"""What happens to a running server when its owner may no longer start it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from apphub.settings.values import Duration, Word

_GRACE = re.compile(r"grace[\s(]+([^()]+?)\)?")
_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


def _policy(value: Any) -> str:
    if value in ("block", "stop"):
        return str(value)
    if isinstance(value, str) and (match := _GRACE.fullmatch(value.strip())):
        try:
            _DURATION.validate_python(match[1].strip())
        except ValidationError:
            pass
        else:
            return f"grace {match[1].strip()}"
    raise ValueError("must be `block`, `stop`, or `grace` with a time, such as `grace 30m`")


#: `block`: it goes on, and cannot be started again; `stop`: it is stopped; `grace 30m`: stopped after that time.
GroupLoss = Annotated[
    str, BeforeValidator(_policy, json_schema_input_type=str), Word("`block`, `stop` or `grace TIME`")
]


def grace_of(policy: str) -> timedelta | None:
    """How long a server may go on: None for ever, nothing for not at all."""
    if policy == "block":
        return None
    if policy == "stop":
        return timedelta(0)
    return _DURATION.validate_python(policy.removeprefix("grace "))
