"""Make docs/images/home.png from the real thing: a hub with the sample profiles, seen in Chromium.

    make dev jupyterlab
    .venv/bin/python tools/screenshot.py

Needs what the journeys need (Chromium, JupyterLab's environment), and a font with emoji:
fonts-noto-color-emoji on Debian.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page, expect, sync_playwright

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests" / "journeys")]

from browsing import ARGUMENTS, PATIENCE, visiting  # noqa: E402

from hubs import TRIAL, RunningHub  # noqa: E402

IMAGE = TOP / "docs" / "images" / "home.png"


def settings() -> dict[str, Any]:
    """The sample settings, with one password for everybody and ada among the analysts."""
    sample: dict[str, Any] = yaml.safe_load((TOP / "apphub.yaml").read_text())
    profiles = sample["profiles"]
    for profile in profiles:
        if "environment_path" in profile:
            profile["environment_path"] = str(TOP / profile["environment_path"])
    return {**TRIAL, "profiles": profiles, "groups": {"analysts": {"members": ["ada"]}}}


def start(hub: RunningHub, path: str, body: dict[str, Any]) -> None:
    """Start a server of ada's and wait until it is ready."""
    hub.ask("POST", f"users/ada/{path}", json=body)
    hub.ready("ada", path.partition("/")[2])


def settle(page: Page) -> None:
    """Wait until both servers are shown as ready and the page is still."""
    expect(page.locator('[data-state="ready"]')).to_have_count(2, timeout=PATIENCE)
    page.wait_for_load_state("networkidle")


def main() -> None:
    """Start a hub and two apps, and take the picture."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with RunningHub(settings()) as hub, sync_playwright() as playwright:
        start(hub, "server", {"profile": "jupyterlab"})
        start(hub, "servers/first-steps", {"profile": "profile_1_slug"})
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
        with visiting(
            browser,
            hub,
            viewport={"width": 1100, "height": 760},
            device_scale_factor=1.5,
            color_scheme="light",
        ) as ada:
            ada.sign_in("ada")
            ada.shows("hub/home")
            settle(ada.page)
            IMAGE.parent.mkdir(parents=True, exist_ok=True)
            ada.page.screenshot(path=IMAGE)
        browser.close()


if __name__ == "__main__":
    main()
