"""When a server counts as unused, and how that is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from apphub.proxy.base import USE_TOLD_EVERY
from apphub.reconcile.idle import REPORTED_EVERY, unused_at, words
from apphub.servers.model import Phase, Plan, Server, ServerKey, Wanted
from apphub.settings import Profile

USED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIMEOUT = timedelta(minutes=30)


def server(**changes: Any) -> Server:
    profile = Profile(slug="app", command=("app",), idle_timeout=TIMEOUT)
    plan = msgspec.structs.replace(Plan.of(profile, {}), **changes.pop("plan", {}))
    fields: dict[str, Any] = dict.fromkeys(Server.__struct_fields__)
    fields |= {
        "key": ServerKey("ada", ""),
        "wanted": Wanted.RUNNING,
        "phase": Phase.READY,
        "plan": plan,
        "last_activity": USED,
    }
    return Server(**{**fields, **changes})


def test_a_server_is_unused_after_its_time_and_as_much_more_as_use_is_told_late() -> None:
    assert unused_at(server()) == USED + TIMEOUT + USE_TOLD_EVERY
    assert unused_at(server(plan={"guarded": False})) == USED + TIMEOUT + REPORTED_EVERY


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": {"idle_timeout": None}},
        {"plan": None},
        {"last_activity": None},
        {"phase": Phase.STARTING},
        {"phase": Phase.STOPPING},
        {"wanted": Wanted.STOPPED},
    ],
    ids=str,
)
def test_what_may_idle_or_does_not_run_is_never_unused(changes: dict[str, Any]) -> None:
    if changes.get("plan", {}) is None:
        assert unused_at(replace(server(), plan=None)) is None
    else:
        assert unused_at(server(**changes)) is None


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=90), "90 seconds"),
    ],
)
def test_the_time_is_said_in_the_largest_whole_unit(timeout: timedelta, said: str) -> None:
    assert words(timeout) == f"Stopped after {said} without use."
