"""No page is heavy: 150 KB and five requests with everything that it loads, whatever the hub holds."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import httpx
from crowds import crowd, furnish
from page_site import open_site

MOST_BYTES = 150_000
MOST_REQUESTS = 5
#: More than any list shows at once.
USERS = 600


class Parts(HTMLParser):
    """What a browser loads beside the page itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.urls: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = {"link": "href", "script": "src", "img": "src"}.get(tag)
        if name and (url := dict(attrs).get(name)):
            self.urls.add(url)


async def weigh(browser: httpx.AsyncClient, path: str) -> tuple[int, int]:
    """Bytes and requests of a page in an empty browser, nothing being compressed."""
    page = await browser.get(f"/apps{path}")
    assert page.status_code == 200, f"{path}: {page.status_code}"
    parts = [await browser.get(url) for url in Parts(page.text).urls]
    assert all(one.status_code == 200 for one in parts), path
    return len(page.content) + sum(len(one.content) for one in parts), 1 + len(parts)


async def test_every_page_is_light(tmp_path: Path) -> None:
    login = {"password": {"enabled": True}, "shared_password": {"password": "a password for tests"}}
    async with open_site(tmp_path / "data", login={**login, "admins": ["admin"]}) as site:
        await crowd(site.hub.db, USERS)
        paths = await furnish(site)
        async with site.visit() as nobody:
            weights = {"/hub/login": await weigh(nobody, "/hub/login")}
        async with site.visit("admin") as browser:
            weights |= {path: await weigh(browser, path) for path in paths}
    print(sorted(weights.items(), key=lambda one: -one[1][0]))
    heavy = {
        path: (size, count)
        for path, (size, count) in weights.items()
        if size > MOST_BYTES or count > MOST_REQUESTS
    }
    assert heavy == {}
