"""How long pages take: the lists in the database, with very many users, and every page in the hub.

    .venv/bin/python tests/scale/pages.py lists [USERS] [postgresql://...]
    .venv/bin/python tests/scale/pages.py pages [USERS] [postgresql://...]

`lists` asks for users, and for services (a tenth as many), in each order, by searches that find
nothing, few and all; `pages` opens each page that there is (the list comes from the routes of the app)
in this process, without an edge before it. Prints the median and the 99th of a hundred, in milliseconds,
of the time and of what this process spent of a core meanwhile: on a busy machine the latter says more,
and on SQLite it is all there is to do. An empty database is expected; without a URL it is SQLite in a
temporary folder. 100,000 users for lists unless something else is said, 10,000 for pages.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests" / "unit" / "pages")]

from crowds import crowd, furnish  # noqa: E402
from page_site import open_site  # noqa: E402

from apphub.access.actor import EVERYTHING  # noqa: E402
from apphub.db import open_database  # noqa: E402
from apphub.kit.log import set_up  # noqa: E402
from apphub.listings import Listings  # noqa: E402
from apphub.listings.model import AskServices, AskUsers, NameOrder, UserOrder  # noqa: E402

SEARCHES = ("", "someone", "4217", "zzz")
#: How often each question is asked, and each page opened.
TIMES = {"lists": 20, "pages": 100}


async def tell(what: str, count: int, do: Callable[[], Awaitable[Any]]) -> None:
    """Do it so many times; one line of milliseconds."""
    times, costs = [], []
    for _ in range(count):
        begun, spent = time.perf_counter(), time.process_time()
        await do()
        times.append((time.perf_counter() - begun) * 1000)
        costs.append((time.process_time() - spent) * 1000)
    found = (statistics.median(times), near(times), statistics.median(costs), near(costs), max(costs))
    print(f"{what:45}" + "".join(f"{one:9.1f}" for one in found), flush=True)


def near(values: list[float]) -> float:
    """What 99 of 100 do not exceed."""
    return sorted(values)[math.ceil(len(values) * 0.99) - 1]


async def lists(count: int, url: str | None, folder: Path) -> None:
    """Fill a database, then ask."""
    db = await open_database(url, folder)
    await crowd(db, count)
    listings = Listings(db)
    for order in get_args(UserOrder):
        for search in SEARCHES:
            ask = AskUsers(order=order, search=search)
            await tell(f"users {order:10} {search}", TIMES["lists"], partial(listings.users, EVERYTHING, ask))
    for order in get_args(NameOrder):
        for search in ("", "4217", "zzz"):
            wanted = AskServices(order=order, search=search)
            name = f"services {order:10} {search}"
            await tell(name, TIMES["lists"], partial(listings.services, EVERYTHING, wanted))
    await db.close()


async def pages(count: int, url: str | None, folder: Path) -> None:
    """Fill a hub, then open its pages."""
    login = {"password": {"enabled": True}, "shared_password": {"password": "a password for tests"}}
    values = {"login": {**login, "admins": ["admin"]}, **({"database": url} if url else {})}
    async with open_site(folder / "data", **values) as site:
        await crowd(site.hub.db, count)
        paths = await furnish(site)
        async with site.visit("admin") as browser:
            for path in paths:
                answer = await browser.get(f"/apps{path}")
                assert answer.status_code == 200, f"{path}: {answer.status_code}"
                name = path.partition("code=")[0]
                await tell(name, TIMES["pages"], partial(browser.get, f"/apps{path}"))


async def main(what: str, count: int, url: str | None) -> None:
    """One of both."""
    set_up("error", "text")
    print(f"{'':45}" + "".join(f"{one:>9}" for one in ("median", "p99", "cpu", "cpu p99", "cpu most")))
    with tempfile.TemporaryDirectory() as folder:
        await (lists if what == "lists" else pages)(count, url, Path(folder))


if __name__ == "__main__":
    kind = sys.argv[1]
    number = int(sys.argv[2]) if len(sys.argv) > 2 else {"lists": 100_000, "pages": 10_000}[kind]
    asyncio.run(main(kind, number, sys.argv[3] if len(sys.argv) > 3 else None))
