"""What servers write is told to hubs of other machines, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from apphub.errors import Forbidden
from apphub.kit.secrets import Keys
from apphub.kit.trust import EdgeKey
from apphub.reconcile import logs as module
from apphub.reconcile.logs import MOST, Logs
from apphub.runtimes.base import Ref
from fakes.lives import Moment

KEYS = Keys(b"k" * 32)


class Written:
    """Has all that is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Ref, int]] = []

    async def logs(self, ref: Ref, *, tail: int) -> str:
        self.asked.append((ref, tail))
        return f"output of {ref}"


def _logs(runtime: Any, doors: Callable[[], Mapping[str, str]] = dict) -> Logs:
    return Logs(runtime, KEYS, "here", doors, "/")


async def test_a_hub_that_says_the_word_is_told_and_of_that_attempt_alone() -> None:
    runtime = Written()
    logs = _logs(runtime)
    word = KEYS.derive("log", 7, 2)
    assert await logs.answer(Ref(7, 2), word, 100) == "output of 7-2"
    for ref in (Ref(7, 1), Ref(72, 2), Ref(7, 22)):
        with pytest.raises(Forbidden):
            await logs.answer(ref, word, 100)
    assert runtime.asked == [(Ref(7, 2), 100)]


@pytest.mark.parametrize("word", ["", "0" * 64, KEYS.derive("log", 7), "wörd"])
async def test_whoever_does_not_know_it_is_told_nothing(word: str) -> None:
    runtime = Written()
    with pytest.raises(Forbidden):
        await _logs(runtime).answer(Ref(7, 2), word, 100)
    assert runtime.asked == []


async def test_an_edge_knows_nothing_that_the_word_could_be_made_of() -> None:
    key = EdgeKey.of(KEYS, passes="{}")
    for known in (key.secret, key.secret[:64]):
        edge = Keys(bytes.fromhex(known))
        with pytest.raises(Forbidden):
            await _logs(Written()).answer(Ref(7, 2), edge.derive("log", 7, 2), 100)


@pytest.mark.parametrize(("asked", "read"), [(0, 1), (-5, 1), (10**9, MOST)])
async def test_what_is_read_is_bounded(asked: int, read: int) -> None:
    runtime = Written()
    await _logs(runtime).answer(Ref(7, 2), KEYS.derive("log", 7, 2), asked)
    assert runtime.asked == [(Ref(7, 2), read)]


@pytest.mark.parametrize("place", ["here", None, "a machine that is forgotten"])
async def test_what_is_of_this_machine_is_read_here(place: str | None) -> None:
    runtime = Written()
    logs = _logs(runtime, lambda: {"here": "127.0.0.1:1", "there": "127.0.0.1:1"})
    server = replace(Moment(attempt=3).server, place=place)
    assert await logs.tail(server, 50) == "output of 1-3"
    assert await logs.tail(server, 50, attempt=2) == "output of 1-2"
    assert await logs.tail(server, 50, attempt=0) == ""
    assert await logs.tail(Moment(attempt=0).server, 50) == ""
    assert runtime.asked == [(Ref(1, 3), 50), (Ref(1, 2), 50)]


async def test_a_machine_that_says_nothing_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody listens there who says nothing, and could not prove to be a hub."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "SILENCE", 0.5)
    came: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as door:
        port = door.sockets[0].getsockname()[1]
        logs = _logs(Written(), lambda: {"there": f"127.0.0.1:{port}"})
        server = replace(Moment(attempt=3).server, place="there")
        for _ in range(3):
            assert await logs.tail(server, 50) == ""
        assert len(came) == 1
        await asyncio.sleep(0.5)
        assert await logs.tail(server, 50) == ""
        assert len(came) == 2
        await logs.close()
        for writer in came:
            writer.close()
            await writer.wait_closed()
