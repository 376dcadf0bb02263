"""Pages of everybody are the same whatever was asked for before, and true at once when somebody goes."""

from __future__ import annotations

import random
from datetime import timedelta

from apphub.access.actor import EVERYTHING
from apphub.db.changes import Changes
from apphub.servers.marks import MOST, Marks
from apphub.servers.views import Page
from fakes.people import BY, Town

SIZE = 7


async def _page(town: Town, offset: int) -> list[str]:
    accounts = await town.views.list_accounts(EVERYTHING, Page(offset, SIZE))
    return [account.person.name for account in accounts]


async def test_pages_are_the_same_in_whatever_order_they_are_asked_for(town: Town) -> None:
    names = ["root", *(f"u{number:02d}" for number in range(60))]
    await town.add(*names[1:])
    offsets = [*range(0, 70, SIZE), *range(0, 70, 5)]
    for seed in range(3):
        random.Random(seed).shuffle(offsets)
        for offset in offsets:
            assert await _page(town, offset) == names[offset : offset + SIZE], (seed, offset)


async def test_whoever_goes_or_comes_moves_the_pages_at_once(town: Town) -> None:
    names = ["root", *(f"u{number:02d}" for number in range(30))]
    await town.add(*names[1:])
    for step in range(8):
        for offset in range(0, 35, SIZE):
            assert await _page(town, offset) == names[offset : offset + SIZE], (step, offset)
        await town.servers.delete_user(BY, names.pop(1 + step), patience=timedelta())
        await town.add(f"new{step}")
        names.append(f"new{step}")


def test_what_was_written_since_makes_marks_void_and_there_are_never_too_many() -> None:
    changes = Changes()
    marks = Marks(changes)
    assert marks.before(10) == (0, 0)
    marks.note(50, 73, changes.count)
    marks.note(20, 31, changes.count)
    assert [marks.before(offset) for offset in (19, 20, 49, 50, 9999)] == [
        (0, 0),
        (20, 31),
        (20, 31),
        (50, 73),
        (50, 73),
    ]
    before = changes.count
    changes.tell(())
    assert marks.before(50) == (0, 0)
    marks.note(50, 73, before)  # read before it was written
    assert marks.before(50) == (0, 0)
    for number in range(MOST + 10):
        marks.note(number + 1, number + 1, changes.count)
    assert marks.before(MOST + 10) == (MOST, MOST)
