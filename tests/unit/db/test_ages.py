"""Ages may call something newer than it is; they never call anything older, however little they remember."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apphub.db.changes import ONE_BY_ONE, RIGHTS, Ages, Changes, rights_of

NAMES = ["1", "2", "3", "4", "5"]


@given(
    most=st.integers(1, 6),
    steps=st.lists(st.one_of(st.sampled_from(NAMES), st.just("all"), st.just("look")), max_size=60),
)
def test_no_change_is_ever_overlooked(most: int, steps: list[str]) -> None:
    ages = Ages(most)
    seen: dict[str | None, int] = {}
    surely_old: set[str | None] = set()
    for step in steps:
        if step == "look":
            seen, surely_old = dict.fromkeys([*NAMES, None], ages.count), set()
        elif step == "all":
            ages.all_changed()
            surely_old.update(seen)
        else:
            ages.changed(step)
            surely_old.add(step)
        assert not any(ages.unchanged(name, count) for name, count in seen.items() if name in surely_old)


def test_what_did_not_change_is_known_not_to_have() -> None:
    ages = Ages()
    count = ages.count
    ages.changed("1")
    assert not ages.unchanged("1", count)
    assert ages.unchanged("2", count)
    assert ages.unchanged(None, count)
    assert ages.unchanged("1", ages.count)


def test_few_people_are_told_of_one_by_one_and_many_as_everybody() -> None:
    assert rights_of([3, 5]) == ["rights:3", "rights:5"]
    assert rights_of(range(ONE_BY_ONE + 1)) == [RIGHTS]
    assert rights_of([]) == []


def test_who_listens_to_rights_hears_of_everybodys_and_of_each_persons() -> None:
    changes = Changes()
    for topics in ([RIGHTS], rights_of([3])):
        count = changes.rights.count
        with changes.listen(RIGHTS) as news:
            changes.tell(topics)
            assert news.is_set()
        assert not changes.rights.unchanged("3", count)
    count = changes.rights.count
    changes.tell_all()  # news may have been missed, of anybody
    assert not changes.rights.unchanged("7", count)
