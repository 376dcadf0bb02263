"""The tools of JupyterHub that sites use, unmodified: their environment, made by `make clients`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hubs import TOP, TRIAL, NotMade, make

ENVIRONMENT = TOP / "envs" / "clients"

#: An app that starts at once, for tests of tools that look at servers from outside.
SMALL_APP: dict[str, Any] = {"slug": "small", "kind": "hello", "groups": "everyone", "default": True}


def environment() -> Path:
    """The environment; made if it is not there. A machine that cannot make it skips the test."""
    if not (ENVIRONMENT / ".installed").exists():
        try:
            make("make", "clients")
        except NotMade as error:
            pytest.skip(f"The clients' environment cannot be made with `make clients`: {error}")
    return ENVIRONMENT


def python() -> str:
    """Its interpreter."""
    return str(environment() / "bin" / "python")


def trial(**more: Any) -> dict[str, Any]:
    """Settings of a hub with the small app."""
    return {**TRIAL, "profiles": [SMALL_APP], **more}
