"""What holds for all tests: where a skip is a failure, what a failure shows, and who begins.

A newcomer's machine may lack something (a browser, say) and then skips in words. Where
APPHUB_TEST_ALL=1 says that everything is there, a test that skips itself has not passed.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

import hubs

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)

#: As much of a hub's output as is shown.
_SHOWN = 6000

#: Files that take a minute and more: they begin, so that several test processes end together.
_LONG = (
    "test_gallery_apps.py",
    "test_edge_idle.py",
    "test_chaos.py",
    "test_admin_access.py",
    "test_clients_jhub_client.py",
    "test_narrow_tokens.py",
    "test_restarts.py",
    "test_pages_access.py",
    "test_crashes.py",
    "test_jupyterlab.py",
    "test_replicas_together.py",
    "test_edge_revocation.py",
    "test_services.py",
    "test_fuzz.py",
    "test_waiting.py",
    "test_clients_idle_culler.py",
    "test_machines.py",
    "test_machines_restarted.py",
    "test_kernels.py",
    "test_conformance.py",
    "test_openapi_answers.py",
)
#: The rest by folder: those that wait for hubs and browsers before those that only compute.
_FOLDERS = ("journeys", "wire", "drivers", "store", "law", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, int]:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return (
        _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG),
        _FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = _no_skip(item.config, (yield))
    if report.failed:
        for hub in hubs.running:
            report.sections.append((f"what the hub at {hub.url} wrote", hub.logs[-_SHOWN:]))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_skip(collector.config, (yield))


def _no_skip(config: pytest.Config, report: R) -> R:
    """The report, where a skip is a failure if all tests must run."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("APPHUB_TEST_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"APPHUB_TEST_ALL=1 lets nothing be skipped. {reason}"
    return report
