"""JupyterLab for journeys: its environment, a hub that offers it, and a person at its notebook."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from browsing import PATIENCE
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect

from hubs import TOP, TRIAL, make, until

ENVIRONMENT = TOP / "envs" / "jupyterlab"


def environment() -> Path:
    """The environment; made, or brought up to date, where that is needed."""
    make("make", "jupyterlab")
    return ENVIRONMENT


def offering(folder: str, **more: Any) -> dict[str, Any]:
    """Settings with JupyterLab for the group `analysts`, whose member is ada; bob is outside."""
    profile = {
        "slug": "jupyterlab",
        "display_name": "JupyterLab",
        "kind": "jupyterhub-singleuser",
        "environment_path": folder,
        "groups": ["analysts"],
        "default_url": "/lab",
        "start_timeout": "3m",
        # Reports of activity come every five minutes otherwise.
        "environment": {"JUPYTERHUB_ACTIVITY_INTERVAL": "2"},
    }
    return {
        **TRIAL,
        "groups": {"analysts": {"members": ["ada"]}},
        "profiles": [profile],
        "timeouts": {"slow_spawn": "1s"},
        **more,
    }


class Notebook:
    """A new notebook in the JupyterLab that the page shows."""

    def __init__(self, page: Page) -> None:
        self._page = page
        # What runs before the kernel speaks starts a second one, and is forgotten; the page shows
        # "idle" long before that, so its websocket is what is waited for.
        with page.expect_websocket(lambda socket: "/channels" in socket.url) as channels:
            page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        with contextlib.suppress(PlaywrightError):
            channels.value.wait_for_event("framereceived", timeout=5_000)
        self._cells = page.locator(".jp-Notebook .jp-CodeCell")
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()

    def connect_again(self) -> None:
        """Wait for JupyterLab to connect, and send away its question whether to restart its server."""
        # It asks only if its second try comes too early as well.
        dismiss = self._page.get_by_role("button", name="Dismiss")
        self._page.add_locator_handler(dismiss, lambda button: button.click())
        connected = re.compile("idle|unknown")  # it does not ask the kernel until something is run
        expect(self._page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
            "data-status", connected, timeout=2 * PATIENCE
        )

    def check(self, code: str, result: str) -> None:
        """Run code in the last cell and wait for its result."""
        cell = self._cells.nth(self._cells.count() - 1)
        editor = cell.locator(".cm-content")
        # An editor that is only just being made loses what is typed into it.
        until(lambda: self._typed(editor, code), f"{code!r} stands in the cell")
        editor.press("Shift+Enter")
        expect(cell.locator(".jp-OutputArea-output")).to_have_text(result, timeout=PATIENCE)

    def _typed(self, editor: Locator, code: str) -> bool:
        editor.fill(code)
        self._page.wait_for_timeout(200)
        return editor.inner_text().strip() == code
