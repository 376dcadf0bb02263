"""Names of users as the labels of dashboards have them, and which figures there are from the start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apphub.kit.metrics import Stopwatch
from apphub.web.metrics import escaped_name, safe_name


@pytest.mark.parametrize(
    ("name", "safe", "escaped"),
    [
        ("ada", "ada", "ada"),
        ("ada-2", "ada-2", "ada-2d2"),
        # as KubeSpawner's own documentation has it
        ("user@email.com", "user-email-com---0925f997", "user-40email-2ecom"),
        ("2fast", "x-2fast---323a2d31", "2fast"),
        ("é", "x---4a99557e", "-c3-a9"),
    ],
)
def test_names_are_those_that_kubespawner_makes(name: str, safe: str, escaped: str) -> None:
    assert (safe_name(name), escaped_name(name)) == (safe, escaped)


def test_long_names_stay_within_what_a_label_takes_and_apart() -> None:
    one, other = safe_name("a" * 200 + "1"), safe_name("a" * 200 + "2")
    assert len(one) <= 63
    assert one != other


def test_every_label_is_there_at_zero_before_anything_has_happened() -> None:
    # In a process of its own: others may have counted in this one.
    code = (
        "from prometheus_client import generate_latest; from apphub.kit.metrics import REGISTRY;"
        "print(generate_latest(REGISTRY).decode())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    for series in (
        'server_spawn_duration_seconds_count{reason="",status="success"} 0.0',
        'server_spawn_duration_seconds_count{reason="",status="failure"} 0.0',
        'server_spawn_duration_seconds_count{reason="",status="error"} 0.0',
        'server_spawn_duration_seconds_count{reason="throttled",status="failure"} 0.0',
        'server_spawn_duration_seconds_count{reason="too-many-users",status="failure"} 0.0',
        'server_spawn_duration_seconds_count{reason="already-pending",status="failure"} 0.0',
        'server_stop_seconds_count{status="success"} 0.0',
        'server_stop_seconds_count{status="failure"} 0.0',
        'server_poll_duration_seconds_count{status="running"} 0.0',
        'server_poll_duration_seconds_count{status="stopped"} 0.0',
        'login_duration_seconds_count{status="success"} 0.0',
        'login_duration_seconds_count{status="failure"} 0.0',
        'proxy_add_duration_seconds_count{status="success"} 0.0',
        'proxy_add_duration_seconds_count{status="failure"} 0.0',
        'proxy_delete_duration_seconds_count{status="success"} 0.0',
        'proxy_delete_duration_seconds_count{status="failure"} 0.0',
        'active_users{period="24h"} 0.0',
        'active_users{period="7d"} 0.0',
        'active_users{period="30d"} 0.0',
        "check_routes_duration_seconds_count 0.0",
        "hub_startup_duration_seconds_count 0.0",
        "init_spawners_duration_seconds_count 0.0",
        "proxy_poll_duration_seconds_count 0.0",
        "logout_duration_seconds_count 0.0",
        "csp_reports_total 0.0",
        "event_loop_interval_seconds_count 0.0",
        "running_servers 0.0",
        "total_users 0.0",
    ):
        assert f"jupyterhub_{series}\n" in told.stdout
    for bound in (
        "0.5",
        "1.0",
        "2.5",
        "5.0",
        "10.0",
        "15.0",
        "30.0",
        "60.0",
        "120.0",
        "180.0",
        "300.0",
        "600.0",
    ):
        assert f'spawn_duration_seconds_bucket{{le="{bound}",reason="",status="success"}}' in told.stdout


def test_what_ends_without_having_begun_takes_no_time() -> None:
    watch = Stopwatch()
    assert watch.end(1) is None
    watch.begin(1)
    seconds = watch.end(1)
    assert seconds is not None
    assert seconds >= 0
    assert watch.end(1) is None
