"""Apps of the gallery for journeys: what each needs, and how somebody uses it in a browser."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import yaml
from playwright.sync_api import Page, expect

from hubs import TOP, TRIAL, RunningHub, make, until

GALLERY = TOP / "gallery"
#: How long (seconds) an app of somebody else may take to draw itself: it is no promise of ours, and on two
#: busy cores marimo needs more than a minute.
DRAWN = 180.0

Use = Callable[[Page, RunningHub], None]


def profile(name: str) -> dict[str, Any]:
    """A profile of the gallery, with the paths of this copy."""
    spec = importlib.util.spec_from_file_location("gallery_settings", GALLERY / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = yaml.safe_load(module.profile(name))
    return found


def offering(*names: str) -> dict[str, Any]:
    """Settings with these profiles for the group `analysts`, whose member is ada."""
    return {
        **TRIAL,
        "groups": {"analysts": {"members": ["ada"]}},
        "profiles": [profile(name) for name in names],
        "timeouts": {"start": "3m"},
    }


def _number(page: Page) -> None:
    """Type a number and wait for what Python makes of it; what is typed while the page is being made is lost."""
    field = page.get_by_label("A number").or_(page.locator("input[type=number], input.bk-input")).first
    field.wait_for(timeout=DRAWN * 1000)
    answer = page.get_by_text(re.compile(r"Seven times that is"))
    expect(answer).to_contain_text("42", timeout=DRAWN * 1000)

    def answered() -> bool:
        field.fill("11")
        field.press("Enter")
        field.press("Tab")
        page.wait_for_timeout(500)
        return "77" in answer.inner_text()

    until(answered, "Python has answered", within=DRAWN)


def dashboard(page: Page, hub: RunningHub) -> None:
    _number(page)


def terminal(page: Page, hub: RunningHub) -> None:
    """Type a command and look at what it did."""
    page.locator(".xterm-screen").wait_for(timeout=DRAWN * 1000)
    page.locator(".xterm-screen").click()
    forget(hub)
    until(lambda: _typed(page, hub, "echo $((6 * 7)) >answer.txt"), "the command has run", within=DRAWN)


def desktop(page: Page, hub: RunningHub) -> None:
    """Type a command into the terminal that stands on the desktop."""
    _connected(page)
    forget(hub)

    def typed() -> bool:
        # Slowly: the window is chosen by what the X server sees of the mouse.
        page.mouse.move(300, 200)
        page.mouse.down()
        page.wait_for_timeout(300)
        page.mouse.up()
        page.wait_for_timeout(300)
        return _typed(page, hub, "echo $((6 * 7)) >answer.txt")

    until(typed, "the command has run", within=DRAWN)


def _connected(page: Page) -> None:
    page.locator("canvas").wait_for(timeout=DRAWN * 1000)
    expect(page.locator("#noVNC_status")).not_to_have_class(re.compile("noVNC_status_error"))


def qgis(page: Page, hub: RunningHub) -> None:
    """Save a project by the keyboard, and find it in the home of QGIS."""
    _connected(page)
    forget(hub)

    def saved() -> bool:
        # What stands before the window on a first day goes away, and so does a dialog of the last try.
        page.keyboard.press("Escape")
        page.mouse.click(310, 500)
        page.keyboard.press("Control+Shift+S")
        page.wait_for_timeout(2000)
        page.keyboard.press("Control+A")
        page.keyboard.type("answer", delay=20)
        page.keyboard.press("Enter")
        page.wait_for_timeout(2000)
        return any(is_zipfile(path) and "answer.qgs" in ZipFile(path).namelist() for path in answers(hub))

    until(saved, "the project is saved", within=DRAWN)


def _typed(page: Page, hub: RunningHub, command: str) -> bool:
    """What is typed before a terminal is ready is lost, so it may have to be said again."""
    page.keyboard.type(command, delay=20)
    page.keyboard.press("Enter")
    page.wait_for_timeout(1000)
    return any(path.read_text() == "42\n" for path in answers(hub))


def answers(hub: RunningHub) -> list[Path]:
    """What apps were told to write."""
    return list(homes(hub).rglob("answer.*"))


def forget(hub: RunningHub) -> None:
    """What somebody wrote before proves nothing of who comes now."""
    for path in answers(hub):
        path.unlink()


def homes(hub: RunningHub) -> Path:
    """Where users' servers live."""
    return hub.data_dir / "homes"


def site(page: Page, hub: RunningHub) -> None:
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("A static site")
    expect(heading).to_have_css("color", "rgb(53, 87, 201)")  # its style sheet has come too
    page.get_by_role("link", name="One page more").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One page more")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A static site")


def notebook(page: Page, hub: RunningHub) -> None:
    import lab

    # What was open the last time is open again, and asks which kernel it shall have.
    page.goto(f"{page.url.partition('?')[0]}?reset")
    lab.Notebook(page).check("6 * 7", "42")


def editor(page: Page, hub: RunningHub) -> None:
    """Open the terminal of VS Code and run a command in it."""
    page.locator(".monaco-workbench").wait_for(timeout=DRAWN * 1000)
    page.keyboard.press("Control+Backquote")
    page.locator(".xterm-screen").first.wait_for(timeout=DRAWN * 1000)
    page.locator(".xterm-screen").first.click()
    forget(hub)
    until(lambda: _typed(page, hub, "echo $((6 * 7)) >answer.txt"), "the command has run", within=DRAWN)


@dataclass(frozen=True)
class App:
    """One app of the gallery."""

    name: str
    use: Use
    #: What makes its environment, and files that are there afterwards; none: it needs nothing.
    made_by: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    #: Whether using it goes over a websocket.
    socket: bool = True
    #: Too large to be made for a test: run where it is there.
    large: bool = False

    @property
    def slug(self) -> str:
        return str(profile(self.name)["slug"])

    @property
    def title(self) -> str:
        return str(profile(self.name)["display_name"])

    @property
    def page(self) -> str:
        """Its first page below the server's address; `{base}` in it is that address."""
        return str(profile(self.name).get("default_url", ""))

    @property
    def there(self) -> bool:
        return all((TOP / proof).exists() for proof in self.proofs)

    def make(self) -> None:
        """Make its environment unless it is there; raises `NotMade`."""
        if not self.there:
            make(*self.made_by)


def _python(name: str, *, socket: bool = True) -> App:
    command = ("gallery/install.sh", "python")
    return App(name, dashboard, command, (f"envs/gallery/bin/{name}" if socket else _DASH,), socket)


_DASH = "envs/gallery/bin/marimo"  # installed with it
_DESKTOP = ("envs/gallery/bin/websockify", "/usr/bin/Xtigervnc", "/usr/bin/openbox", "/usr/bin/xterm")
APPS = (
    _python("marimo"),
    _python("streamlit"),
    _python("panel"),
    _python("dash", socket=False),
    App("terminal", terminal, ("gallery/install.sh", "terminal"), ("envs/gallery/bin/wetty",)),
    App("site", site, socket=False),
    App("jupyterlab", notebook, ("make", "jupyterlab"), ("envs/jupyterlab/bin/jupyter-lab",)),
    App(
        "desktop",
        desktop,
        ("gallery/install.sh", "desktop"),
        _DESKTOP,
        large=True,
    ),
    App("qgis", qgis, ("gallery/install.sh", "qgis"), (*_DESKTOP, "/usr/bin/qgis"), large=True),
    App(
        "code-server",
        editor,
        ("gallery/install.sh", "code-server"),
        ("envs/gallery/bin/code-server",),
        large=True,
    ),
)


def wanted() -> list[App]:
    """All of the usual apps, and of the large ones those that are there, or that are asked for by name:
    APPHUB_TEST_GALLERY="qgis code-server".
    """
    named = os.environ.get("APPHUB_TEST_GALLERY", "").split()
    return [app for app in APPS if not app.large or app.there or app.name in named]
