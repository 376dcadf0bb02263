"""How much servers may take together: of the whole hub, of one user, of a group, of a profile."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from apphub.settings.values import Section, Word, parse_size

Room = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=str | int),
    Field(ge=0, lt=2**63),
    Word("size"),
]


class Quota(Section):
    """What servers that were let in and have not stopped may take together; a start beyond it waits.
    0 means no limit.
    """

    servers: int = Field(default=0, ge=0, le=1_000_000, description="How many of them.")
    cpu: float = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Processors: of each server what its profile keeps for it (`cpu_guarantee`), or else its "
        "`cpu_limit`.",
    )
    memory: Room = Field(
        default=0, description="Memory: of each server its `memory_guarantee`, or else its `memory_limit`."
    )
