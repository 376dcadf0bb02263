"""Who of a line goes in: never more than the limits, nobody before those who wait for the same, and in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apphub.admission.model import (
    HUB,
    PARTS,
    Amount,
    Ledger,
    Round,
    Scope,
    Waiting,
    go_through,
    roughly,
    spots,
)

GROUPS = ("analysts", "testers")
_amounts = st.builds(Amount, servers=st.integers(0, 6), cpu=st.integers(0, 8), memory=st.integers(0, 8))
_rows = st.builds(
    Waiting,
    id=st.just(0),
    user_id=st.integers(1, 4),
    user=st.just("ada"),
    profile_id=st.sampled_from([None, 1, 2]),
    cpu=st.integers(0, 4),
    memory=st.integers(0, 4),
    groups=st.sampled_from([(), GROUPS[:1], GROUPS[1:], GROUPS]),
)
_lines = st.lists(_rows, max_size=25).map(
    lambda rows: [row._replace(id=number + 1) for number, row in enumerate(rows)]
)
_scopes = [HUB, *(Scope("group", name) for name in GROUPS), Scope("profile", 1), Scope("profile", 2)]
_ledgers = st.builds(
    Ledger,
    limits=st.dictionaries(st.sampled_from(_scopes), _amounts),
    per_user=_amounts,
    concurrent=st.integers(0, 5),
)


def _within(ledger: Ledger) -> bool:
    return all(
        not most or taken <= most
        for scope, used in ledger.used.items()
        for taken, most in zip(used, ledger.limit(scope), strict=True)
    )


def _rounds(line: list[Waiting], ledger: Ledger, stops: st.DataObject) -> list[int]:
    """Look again and again, while those who are in start up, and now and then one of them stops."""
    waiting, inside, order = list(line), [], list[int]()
    for _ in range(4 * len(line) + 4):
        ledger._closed.clear()
        ledger.starting = 0
        found = Round()
        go_through(waiting, ledger, found)
        assert _within(ledger)
        assert not ledger.concurrent or len(found.let_in) <= ledger.concurrent
        let_in = set(found.let_in)
        order += found.let_in
        inside += [row for row in waiting if row.id in let_in]
        waiting = [row for row in waiting if row.id not in let_in | found.never.keys()]
        if inside and stops.draw(st.booleans()):
            gone = inside.pop(stops.draw(st.integers(0, len(inside) - 1)))
        elif inside:
            gone = inside.pop()
        else:
            continue
        for scope in gone.scopes:
            ledger.used[scope] = Amount(
                *(have - less for have, less in zip(ledger.used[scope], gone.amount, strict=True))
            )
    assert waiting == [], "somebody waits for ever"
    return order


@given(_lines, _ledgers, st.data())
def test_limits_are_never_passed_and_everybody_who_can_have_room_gets_it(
    line: list[Waiting], ledger: Ledger, stops: st.DataObject
) -> None:
    possible = {row.id for row in line if ledger.impossible(row) is None}
    assert set(_rounds(line, ledger, stops)) == possible


@given(_lines, _ledgers)
def test_nobody_goes_in_before_somebody_who_waits_for_the_same(line: list[Waiting], ledger: Ledger) -> None:
    found = Round()
    go_through(line, ledger, found)
    for place, row in enumerate(line):
        shortage = found.waits.get(row.id)
        if shortage is None:
            continue
        for behind in line[place + 1 :]:
            if behind.id not in found.let_in:
                continue
            if shortage.what == "starts":
                raise AssertionError(f"{behind} went in before {row}")
            takes = behind.amount[PARTS.index(shortage.what)]
            assert not takes or shortage.scope not in behind.scopes, (behind, row, shortage)


@given(_lines, _ledgers)
def test_every_start_goes_in_or_waits_for_something_or_can_never_go_in(
    line: list[Waiting], ledger: Ledger
) -> None:
    found = Round()
    go_through(line, ledger, found)
    told = [*found.let_in, *found.waits, *found.never]
    assert sorted(told) == [row.id for row in line]
    places = [spot.position for spot in spots(line, found, ledger, {}).values()]
    assert places == list(range(1, len(found.waits) + 1))


def _row(number: int, user: int = 1, **more: object) -> Waiting:
    return Waiting(number, user, f"u{user}", 1, 0, 0)._replace(**more)  # type: ignore[arg-type]


def test_who_waits_for_their_own_limit_keeps_nothing_from_others() -> None:
    ledger = Ledger({HUB: Amount(servers=3)}, per_user=Amount(servers=1))
    found = Round()
    go_through([_row(1), _row(2), _row(3), _row(4, user=2)], ledger, found)
    assert found.let_in == [1, 4]


def test_a_large_start_is_not_overtaken_by_small_ones_for_ever() -> None:
    ledger = Ledger({HUB: Amount(memory=8)}, used={HUB: Amount(memory=4)})
    found = Round()
    go_through([_row(1, memory=6), _row(2, user=2, memory=1), _row(3, user=3)], ledger, found)
    assert found.let_in == [3]  # it asks for no memory
    assert set(found.waits) == {1, 2}


def test_what_is_waited_for_is_said_in_words() -> None:
    gigabyte = 2**30
    group = Scope("group", "analysts")
    limits = {group: Amount(memory=32 * gigabyte), HUB: Amount(cpu=4000)}
    ledger = Ledger(limits, used={group: Amount(memory=30 * gigabyte), HUB: Amount(cpu=3500)}, concurrent=9)
    large = _row(1, memory=4 * gigabyte, groups=("analysts",))
    assert str(ledger.lacks(large)) == "memory: group analysts uses 30 of 32 GB"
    assert str(ledger.lacks(_row(2, cpu=1000))) == "processors: the hub uses 3.5 of 4"
    never = ledger.impossible(_row(3, memory=64 * gigabyte, groups=("analysts",)))
    assert str(never) == "memory: it asks for 64 GB, and the limit of group analysts is 32 GB"
    ledger.starting = 9
    assert str(ledger.lacks(_row(4))) == "its turn: 9 of 9 starts at the same time are under way"


def test_how_long_is_told_roughly_and_only_where_it_can_be_known() -> None:
    ledger = Ledger({}, concurrent=2)
    line, found = [_row(number) for number in range(1, 8)], Round()
    go_through(line, ledger, found)
    assert {spot.estimate for spot in spots(line, found, ledger, {}).values()} == {None}
    told = spots(line, found, ledger, {1: 8.0})
    assert [spot.estimate for spot in told.values()] == [20, 20, 25, 25, 40]
    full, found = Ledger({HUB: Amount(servers=1)}), Round()
    go_through(line, full, found)
    assert {spot.estimate for spot in spots(line, found, full, {1: 8.0}).values()} == {None}
    assert [roughly(seconds) for seconds in (0.2, 6, 31, 61, 301)] == [5, 10, 40, 90, 360]
