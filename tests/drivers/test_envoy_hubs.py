"""One edge and several hubs: load on all, a dead one left at once, what may be sent twice sent to another."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from envoy_rig import Backend, Rig, a_control, running, supervised

from apphub.proxy.base import Route, by_scope
from apphub.proxy.envoy.meeting import NOTICED


async def _second(rig: Rig) -> Backend:
    rig.backends.append(await Backend("second").listen_on(rig.edge.meeting.hub(2)))
    await _seen(rig, "second")
    return rig.backends[-1]


async def _seen(rig: Rig, name: str) -> None:
    async with asyncio.timeout(5):
        while not (await rig.get("/hub/home")).text.startswith(name):
            await asyncio.sleep(0.05)


async def _who(rig: Rig, requests: int = 40) -> Counter[str]:
    answers = [await rig.get("/hub/home") for _ in range(requests)]
    assert {answer.status_code for answer in answers} == {200}
    return Counter(answer.text.partition("\n")[0] for answer in answers)


async def test_a_hub_that_comes_takes_its_part_and_one_that_is_told_to_end_is_left_first() -> None:
    async with running() as rig, supervised(rig.envoy):
        assert await _who(rig, 3) == {"hub": 3}
        second = await _second(rig)
        assert min((await _who(rig)).values()) >= 10
        rig.edge.meeting.hub(1).unlink()
        await asyncio.sleep(NOTICED)
        heard = len(rig.hub.heads)
        assert await _who(rig) == {"second": 40}
        assert len(rig.hub.heads) == heard
        assert len(second.heads) >= 40


async def test_a_hub_that_is_killed_fails_no_request_that_begins_afterwards() -> None:
    async with running() as rig, supervised(rig.envoy):
        await _second(rig)
        await rig.hub.close()
        answers = [await rig.client.post("/hub/api/users", content=b"body") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert await _who(rig) == {"second": 40}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_what_says_the_same_twice_is_sent_to_another_hub_when_one_dies_over_it(method: str) -> None:
    async with running() as rig, supervised(rig.envoy):
        await _second(rig)
        # As large as the hub takes them.
        body = b"x" * 2_000_000 if method in ("PUT", "DELETE") else None
        asked = [asyncio.create_task(rig.client.request(method, "/hub/slow", content=body)) for _ in range(6)]
        await asyncio.sleep(0.4)
        assert any("/hub/slow" in head for head in rig.hub.heads), "none is on its way to the first"
        await rig.hub.close()
        assert {(await one).status_code for one in asked} == {200}


async def test_a_post_on_its_way_to_a_hub_that_dies_is_not_sent_twice_and_is_told_to_try_again() -> None:
    async with running() as rig, supervised(rig.envoy):
        second = await _second(rig)
        asked = [asyncio.create_task(rig.client.post("/hub/slow", content=b"x")) for _ in range(6)]
        await asyncio.sleep(0.4)
        lost = sum("POST /hub/slow" in head for head in rig.hub.heads)
        await rig.hub.close()
        answers = [await one for one in asked]
        failed = [answer for answer in answers if answer.status_code != 200]
        assert [answer.status_code for answer in failed] == [503] * lost
        assert all("retry-after" in answer.headers for answer in failed)
        assert lost
        assert sum("POST /hub/slow" in head for head in second.heads) == 6 - lost


async def test_a_hub_that_cannot_answer_is_passed_over_for_one_that_can() -> None:
    async with running() as rig, supervised(rig.envoy):
        await _second(rig)
        rig.hub.answer = lambda _: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        assert await _who(rig, 10) == {"second": 10}


async def test_an_edge_whose_hub_dies_takes_its_routes_from_another_and_loses_none() -> None:
    async with running() as rig, supervised(rig.envoy):
        ada = await rig.app("ada")
        table = by_scope([Route("/user/ada/", ada.address)])
        assert await rig.control.publish(table)
        await _second(rig)
        other = a_control(rig.edge.meeting.control(2))
        await other.start(table)
        client = httpx.AsyncClient(base_url=f"http://{rig.edge.bind[0]}", timeout=10)
        try:
            await rig.control.close()
            await rig.hub.close()
            rig.edge.meeting.hub(1).unlink()
            async with asyncio.timeout(5):
                while not other.edges:
                    assert (await client.get("/user/ada/")).text.startswith("ada\n")
                    await asyncio.sleep(0.01)
            assert await other.publish(by_scope([Route("/user/bob/", ada.address)]))
            assert (await client.get("/user/bob/")).text.startswith("ada\n")
        finally:
            await client.aclose()
            await other.close()
