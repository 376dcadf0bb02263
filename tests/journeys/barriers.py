"""What of a page keeps people with disabilities out, and what of all that opens on it."""

from __future__ import annotations

from browsing import Visitor
from playwright.sync_api import expect

WIDE = {"width": 1280, "height": 800}
#: The narrowest screen that WCAG asks for, in CSS pixels.
NARROW = {"width": 320, "height": 800}


#: Links and buttons at the head of the page that lie upon each other.
_OVERLAPS = """
() => {
  const parts = [...document.querySelectorAll(".top a, .top button")];
  const boxes = parts.map((one) => [one.innerText.trim() || one.className, one.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
    .map(([other]) => `${name} lies upon ${other}`));
}
"""


def seen(visitor: Visitor, path: str, heading: str, *schemes: str) -> list[str]:
    """What is wrong with a page."""
    visitor.go(path)
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(heading)
    wide = visitor.overflow
    upon = [f"{path}: {one}" for one in visitor.page.evaluate(_OVERLAPS)]
    found = visitor.barriers(schemes=schemes or ("light", "dark"))
    return found + upon + ([f"{path}: wider than the screen by {wide} pixels"] if wide else [])


def opened(visitor: Visitor) -> list[str]:
    """What is wrong with what opens on this page: menus, questions, folded parts; each kind once."""
    found, page = [], visitor.page
    for kind in ("details:not(.menu)", "details.menu"):
        if (parts := page.locator(f"main {kind}:not([open]) > summary:visible")).count():
            parts.first.click()
            found += visitor.barriers("details[open]")
            page.keyboard.press("Escape")
    if (questions := page.locator("[popovertarget]:visible:not([popovertargetaction])")).count():
        questions.first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found += visitor.barriers(":popover-open")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(questions.first).to_be_focused()
    return found
