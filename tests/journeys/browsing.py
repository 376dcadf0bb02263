"""A person in front of a real browser: what they see, click and type.

Everything that the browser complains about on pages of the hub (errors of scripts, violations
of the content security policy, answers that failed) is kept, and a visit that ends with such a
complaint fails. Pages of apps are not ours to judge. `Visitor.barriers` asks axe-core what on a
page keeps people with disabilities out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from hubs import PASSWORD, RunningHub

#: What a browser is started with: nothing that calls home, no sandbox (tests may run as root).
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # For hubs with hosts of their own: a domain that is for tests (RFC 6761).
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)
#: How long (ms) something may take to appear on a busy machine.
PATIENCE = 60_000
#: What a page is to show is waited for as long: on a machine with much to do five seconds are not enough.
expect.set_options(timeout=PATIENCE)
#: WCAG 2.2, levels A and AA, and what axe-core calls good practice.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI || event.sourceFile}`));
"""


class Visitor:
    """One person with a browser profile of their own."""

    def __init__(self, hub: RunningHub, context: BrowserContext) -> None:
        self.hub = hub
        self.context = context
        self.complaints: list[str] = []
        #: Answers of servers that failed and requests that had none, also of apps: what a failed test is told with.
        self.trouble: list[str] = []
        self._expected: list[int] = []
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_VIOLATIONS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self._note(error.page, f"uncaught: {error.error}"))
        context.on("response", lambda answer: self._hear_answer(answer.status, answer.url))
        context.on("requestfailed", lambda request: self.trouble.append(f"{request.failure}: {request.url}"))
        self.page = context.new_page()

    def go(self, path: str) -> Page:
        """Open an address below the base URL: `hub/home`."""
        self.page.goto(f"{self.hub.url}{path}")
        return self.page

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """Sign in on the page that is shown, or else on the hub's own, and wait for the answer."""
        if not self.page.locator("#password").is_visible():
            self.go("hub/login")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        with self.page.expect_navigation(wait_until="commit"):
            self.page.get_by_role("button", name="Sign in").click()

    def home(self) -> Page:
        """The home page."""
        return self.go("hub/home")

    def card(self, profile: str) -> Locator:
        """What the home page offers."""
        heading = self.page.get_by_role("heading", name=profile, exact=True)
        return self.page.locator(".card", has=heading)

    def start(self, profile: str) -> None:
        """Start an app from the home page."""
        self.home()
        self.card(profile).get_by_role("button", name="Start").click()

    def server(self, name: str = "") -> Locator:
        """A server of one's own in the list of the home page."""
        return self.page.locator(f'[data-server$="/{name}"]')

    def shows(self, path: str) -> None:
        """Wait until the address is this one below the base URL; `*` stands for anything."""
        pattern = re.escape(f"{self.hub.url}{path}").replace(r"\*", ".*")
        expect(self.page).to_have_url(re.compile(f"^{pattern}$"), timeout=PATIENCE)

    def barriers(self, part: str | None = None, *, schemes: Sequence[str] = ("light", "dark")) -> list[str]:
        """What axe-core finds wrong with the page as it is shown now, or with this part (CSS) of it."""
        found = []
        for scheme in schemes:
            # Without motion: a colour on its way to another is nobody's contrast.
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            answer = Axe().run(self.page, context=part, options={"runOnly": _RULES}).response
            found += [
                f"{scheme} {urlsplit(self.page.url).path}: {rule['id']}: {rule['help']}: {node['html'][:200]}"
                for rule in answer["violations"]
                for node in rule["nodes"]
            ]
        return found

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width

    @contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """Within this block an answer with this status is what is wanted."""
        self._expected.append(status)
        yield
        self._expected.remove(status)

    def cookies(self) -> dict[str, Any]:
        """The cookies that the browser holds, by name."""
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if any(f"status of {status}" in message.text for status in self._expected):
            return
        self._note(message.page, message.text)

    def _hear_answer(self, status: int, url: str) -> None:
        if status >= 500:
            self.trouble.append(f"{status}: {url}")

    def _note(self, page: Page | None, words: str) -> None:
        path = urlsplit(page.url).path if page is not None else ""
        if path.startswith(f"{self.hub.base_url}hub"):
            self.complaints.append(f"{path}: {words}")


@contextmanager
def visiting(browser: Browser, hub: RunningHub, **how: Any) -> Iterator[Visitor]:
    """A visit; `how` is for the browser: `viewport`, `java_script_enabled`."""
    context = browser.new_context(ignore_https_errors=True, locale="en-GB", **how)
    visitor = Visitor(hub, context)
    try:
        yield visitor
        assert visitor.complaints == [], f"the browser complains about the hub: {visitor.complaints}"
    except BaseException as error:
        error.add_note(f"--- the browser at {visitor.page.url} had trouble with: {visitor.trouble}")
        raise
    finally:
        context.close()
