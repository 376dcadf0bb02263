"""What an edge is sent, and when."""

from __future__ import annotations

from envoy_data_plane.envoy.service.discovery import v3 as discovery

from apphub.proxy.envoy.session import BATCH, Refusal, Session
from apphub.proxy.envoy.wire import Resource


def _table(**versions: str) -> dict[str, Resource]:
    return {name: Resource(version, version.encode()) for name, version in versions.items()}


def _said(message: bytes | None) -> tuple[list[str], list[str], str]:
    assert message is not None
    read = discovery.DeltaDiscoveryResponse.parse(message)
    return [item.name for item in read.resources], list(read.removed_resources), read.nonce


async def test_a_new_edge_is_sent_everything_in_the_order_of_the_table() -> None:
    table = _table(hub="1", a="1", b="1")
    assert _said(Session("e", {}, table).next(table)) == (["hub", "a", "b"], [], "1")


async def test_an_edge_that_holds_the_table_is_sent_only_the_differences() -> None:
    table = _table(hub="1", a="1", b="2")
    session = Session("e", {"hub": "1", "a": "1", "b": "1", "gone": "1"}, table)
    assert _said(session.next(table)) == (["b"], ["gone"], "1")


async def test_an_edge_that_holds_exactly_the_table_is_told_nothing() -> None:
    table = _table(hub="1")
    session = Session("e", {"hub": "1"}, table)
    assert session.next(table) is None
    assert session.took("hub", table) is True


async def test_changes_wait_for_the_answer_and_then_go_together_as_they_are_by_then() -> None:
    table = _table(a="1")
    session = Session("e", {}, table)
    session.next(table)
    for version in ("2", "3"):
        table |= _table(a=version, b=version)
        session.touch(["a", "b"])
        assert session.next(table) is None
    session.answer("1", "")
    assert session.took("a", table) is None
    assert _said(session.next(table)) == (["a", "b"], [], "2")
    session.answer("2", "")
    assert session.took("a", table) is session.took("b", table) is True


async def test_an_answer_to_something_else_changes_nothing() -> None:
    table = _table(a="1")
    session = Session("e", {}, table)
    session.next(table)
    session.answer("99", "")
    assert session.took("a", table) is None


async def test_a_scope_that_comes_and_goes_at_once_is_never_sent() -> None:
    table: dict[str, Resource] = {}
    session = Session("e", {}, table)
    session.touch(["a"])
    assert session.next(table) is None
    assert session.took("a", table) is True


async def test_a_large_table_goes_in_batches() -> None:
    table = _table(**{f"u{i}": "1" for i in range(BATCH + 1)})
    session = Session("e", {}, table)
    assert len(_said(session.next(table))[0]) == BATCH
    session.answer("1", "")
    assert len(_said(session.next(table))[0]) == 1


async def test_a_refused_response_is_halved_until_the_scope_at_fault_stands_alone() -> None:
    table = _table(a="1", b="1", bad="1", d="1", e="1")
    session = Session("e", {}, table)
    refusals: list[Refusal] = []
    while message := session.next(table):
        names, _, nonce = _said(message)
        refusal = session.answer(nonce, "no" if "bad" in names else "")
        if refusal:
            refusals.append(refusal)
    assert refusals == [Refusal("bad", "no")]
    assert [name for name in table if session.took(name, table)] == ["a", "b", "d", "e"]
    assert session.took("bad", table) is False


async def test_a_refused_scope_is_offered_again_once_it_changes() -> None:
    table = _table(bad="1")
    session = Session("e", {}, table)
    session.next(table)
    session.answer("1", "no")
    table = _table(bad="2")
    session.touch(["bad"])
    assert session.took("bad", table) is None
    assert _said(session.next(table))[0] == ["bad"]


async def test_a_refused_scope_that_is_withdrawn_is_settled() -> None:
    table = _table(bad="1")
    session = Session("e", {}, table)
    session.next(table)
    session.answer("1", "no")
    session.touch(["bad"])
    assert session.next({}) is None
    assert session.took("bad", {}) is True
