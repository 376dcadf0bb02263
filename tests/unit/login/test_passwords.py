"""Passwords are kept as argon2id, and a name that does not exist takes as long as one that does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from apphub.login.passwords import LONGEST, Passwords


@pytest.fixture
async def passwords() -> AsyncGenerator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_the_right_password_is_verified_and_no_other(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert "correct" not in hashed
    assert hashed != await passwords.hash("correct horse")
    assert await passwords.verify(hashed, "correct horse")
    for wrong in ("", "correct hors", "Correct horse", "correct horse ", "correct horse\x00"):
        assert not await passwords.verify(hashed, wrong)


@pytest.mark.parametrize("hashed", [None, "", "plain", "$argon2id$broken", "$2b$12$bcrypt"])
async def test_without_a_good_hash_nothing_is_right(passwords: Passwords, hashed: str | None) -> None:
    assert not await passwords.verify(hashed, "nobody has this password")
    assert not await passwords.verify(hashed, "plain")


async def test_what_is_hashed_is_bounded(passwords: Passwords) -> None:
    hashed = await passwords.hash("x" * LONGEST)
    assert await passwords.verify(hashed, "x" * LONGEST)
    assert not await passwords.verify(hashed, "x" * (LONGEST + 1))


async def test_an_unknown_name_takes_as_long_as_a_known_one(passwords: Passwords) -> None:
    hashed = await passwords.hash("right")

    async def fastest(of: str | None) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            await passwords.verify(of, "wrong")
            times.append(time.perf_counter() - began)
        return min(times)

    known, unknown = await fastest(hashed), await fastest(None)
    assert unknown > known / 3  # far from an early answer, whatever else the machine does


async def test_the_event_loop_goes_on_while_passwords_are_hashed(passwords: Passwords) -> None:
    hashing = asyncio.gather(*(passwords.hash(str(number)) for number in range(4)))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    await hashing
