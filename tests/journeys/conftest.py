"""The browser that journeys share; a machine without one skips them, in words."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import lab
import pytest
from browsing import ARGUMENTS
from playwright.sync_api import Browser, sync_playwright

from hubs import NotMade

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; every visit has a profile of its own."""
    path = os.environ.get("APPHUB_TEST_BROWSER") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("No Chromium is installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyterlab() -> str:
    """The folder of JupyterLab's environment, made by the documented command unless it is there."""
    try:
        return str(lab.environment())
    except NotMade as reason:
        pytest.skip(f"JupyterLab's environment cannot be made with `make jupyterlab`: {reason}")
