"""Make docs/images from the real thing: a hub with some apps, every page for people, seen in Chromium.

    make screenshots

Each page in light and dark, on a desk and on a phone. Needs Chromium, and a font with emoji:
fonts-noto-color-emoji on Debian. A picture has few colours, so it is kept as a PNG with a palette.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests" / "journeys")]

import apps  # noqa: E402
from browsing import ARGUMENTS, PATIENCE, Visitor, visiting  # noqa: E402

from hubs import TRIAL, RunningHub  # noqa: E402

FOLDER = TOP / "docs" / "images"
SCREENS = {"": {"width": 1100, "height": 760}, "-phone": {"width": 390, "height": 780}}
#: Pages by the name of their picture. `status` is what the page is answered with.
PAGES = {
    "home": "hub/home",
    "start": "hub/spawn/ada/trial?profile=notebooks",
    "progress": "hub/spawn-pending/ada/model-run",
    "failed": "hub/spawn-pending/ada/old-data",
    "server": "hub/server/ada/survey",
    "tokens": "hub/token",
    "account": "hub/sign-ins",
}
#: The administrators' pages, likewise.
ADMIN_PAGES = {
    "admin-users": "hub/admin",
    "admin-user": "hub/admin/users/ada",
    "admin-add": "hub/admin/add",
    "admin-groups": "hub/admin/groups",
    "admin-group": "hub/admin/groups/modellers",
    "admin-servers": "hub/admin/servers",
    "admin-profiles": "hub/admin/profiles",
    "admin-profile": "hub/admin/profiles/tide",
    "admin-services": "hub/admin/services",
    "admin-tokens": "hub/admin/tokens",
    "admin-audit": "hub/admin/audit",
    "admin-status": "hub/admin/status",
}
COLOURS = 255


def app(slug: str, name: str, icon: str, description: str, **more: Any) -> dict[str, Any]:
    """A profile that looks like a real one, and runs the steered app of the tests."""
    look = {"slug": slug, "display_name": name, "icon": icon, "description": description}
    return {**apps.STEERED, **look, **more}


def settings() -> dict[str, Any]:
    """Apps as a laboratory may have them."""
    size = {"title": "Size of the data", "type": "integer", "default": 4, "minimum": 1, "maximum": 16}
    image = {"title": "Environment", "choices": ["geo 2026.1", "geo 2025.2"], "default": "geo 2026.1"}
    return {
        **TRIAL,
        "groups": {"modellers": {}},
        "profiles": [
            app(
                "notebooks",
                "JupyterLab",
                "notebook",
                "Notebooks, terminals and files, in the browser.",
                default=True,
                memory_limit="4G",
                cpu_limit=2,
                idle_timeout="2h",
                options={**apps.STEERED["options"], "environment": image, "size": size},
            ),
            app(
                "map",
                "Map studio",
                "map",
                "Look at rasters and vectors, and draw on them.",
                memory_limit="2G",
            ),
            app("board", "Dashboard", "chart", "The figures of this week.", memory_limit="1G"),
            app(
                "model", "Model runs", "rocket", "Long computations on the big machine.", groups=["modellers"]
            ),
        ],
        "pages": {"ask_for_access": "Write to the helpdesk, and name your project."},
        "timeouts": {"slow_spawn": "3s", "stop": "2s", "start": "30m"},
        "roles": [{"name": "user", "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"]}],
    }


def fill(hub: RunningHub) -> None:
    """Servers of ada's, in every state."""
    hub.ask("POST", "users/ada")
    servers: dict[str, dict[str, Any]] = {
        "survey": {"profile": "notebooks", "size": 8},
        "coast": {"profile": "map"},
        "model-run": {"profile": "board", "delay": 900},
        "old-data": {"profile": "board", "fail": True},
    }
    for name, options in servers.items():
        hub.ask("POST", f"users/ada/servers/{name}", json=options)
    hub.ready("ada", "survey")
    hub.ready("ada", "coast")
    names = [
        "amara",
        "bjorn",
        "chiara",
        "dmitri",
        "elena",
        "farid",
        "grete",
        "hiroshi",
        "ines",
        "jonas",
        "kamala",
        "lukas",
    ]
    hub.ask("POST", "users", json={"usernames": names})
    hub.ask("POST", "groups/modellers/users", json={"users": names[:5]})
    hub.ask("POST", "users/chiara/servers/coast", json={"profile": "map"})
    hub.ask("POST", "profiles", json={"slug": "tide", "display_name": "Tides", "command": ["tides", "serve"]})
    hub.ask("POST", "profiles/tide/bindings", json={"group": "modellers"})
    for name in ("backup", "wiki"):
        hub.ask("POST", f"services/{name}", json={"url": f"http://{name}.example:8000", "display": False})
    for note, scopes in (("backup script", ["read:servers!user"]), ("notebook watcher", None)):
        hub.ask("POST", "users/ada/tokens", json={"note": note, **({"scopes": scopes} if scopes else {})})


def keep(picture: bytes, name: str) -> None:
    """Write a picture with as few colours as it needs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Image.open(BytesIO(picture)) as image:
        image.convert("RGB").quantize(
            COLOURS, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE
        ).save(FOLDER / f"{name}.png", optimize=True)


def take(visitor: Visitor, pages: dict[str, str], ending: str) -> None:
    """These pages, in light and dark."""
    for name, path in pages.items():
        visitor.go(path)
        expect(visitor.page.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE)
        for scheme in ("light", "dark"):
            visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            dark = "-dark" if scheme == "dark" else ""
            keep(visitor.page.screenshot(), f"{name}{ending}{dark}")


def visit(browser: Browser, hub: RunningHub) -> None:
    """Every screen."""
    for ending, size in SCREENS.items():
        with visiting(browser, hub, viewport=size) as ada:
            ada.go("hub/login")
            keep(ada.page.screenshot(), f"sign-in{ending}")
            ada.sign_in("ada")
            ada.shows("hub/home")
            take(ada, PAGES, ending)
        with visiting(browser, hub, viewport=size) as admin:
            admin.sign_in("admin")
            admin.shows("hub/home")
            take(admin, ADMIN_PAGES, ending)


def main() -> None:
    """Start a hub and some apps, and take the pictures."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with RunningHub(settings()) as hub, sync_playwright() as playwright:
        fill(hub)
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
        visit(browser, hub)
        browser.close()


if __name__ == "__main__":
    main()
