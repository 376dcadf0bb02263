"""How long the lists of the administrators' pages take in the database.

    .venv/bin/python tests/scale/pages.py [USERS] [postgresql://...]

Prints, for each question, the median and the slowest of twenty, in milliseconds. An empty database is
expected; without a URL it is SQLite in a temporary folder.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from apphub.access.actor import EVERYTHING
from apphub.db import open_database
from apphub.kit import clock
from apphub.listings import Listings
from apphub.listings.model import AskUsers
from apphub.people import store
from apphub.people.model import Source

QUESTIONS = {
    "first page": AskUsers(),
    "by prefix": AskUsers(search="user-04200"),
    "by part of the name": AskUsers(search="4217"),
    "nobody matches": AskUsers(search="zzz"),
    "last active first": AskUsers(order="-activity"),
    "newest first": AskUsers(order="-created"),
}


async def main(count: int, url: str | None) -> None:
    """Fill the database, then ask."""
    with tempfile.TemporaryDirectory() as folder:
        db = await open_database(url, Path(folder))
        for first in range(0, count, 5000):
            names = [f"user-{number:06}" for number in range(first, min(first + 5000, count))]
            async with db.write() as tx:
                await store.insert_people(tx, names, admin=False, source=Source.API, now=clock.now())
        listings = Listings(db)
        for words, ask in QUESTIONS.items():
            times = []
            for _ in range(20):
                begun = time.perf_counter()
                await listings.users(EVERYTHING, ask)
                times.append((time.perf_counter() - begun) * 1000)
            print(f"{words:22} {statistics.median(times):7.1f} {max(times):7.1f}")
        await db.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, next(iter(sys.argv[2:]), None)))
