"""What is written down about processes: whole lines count, and only those about the same process."""

from __future__ import annotations

from pathlib import Path

import pytest

from apphub.runtimes.process import records
from apphub.runtimes.process.records import Places, Record

BEGUN = Record("hub", "7-1", "boot", 12, 345, "127.0.0.1", 8000)
ENDED = BEGUN._replace(ended=True, exit_code=9, ending="It ended by itself with status 9.")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(str(tmp_path))
    Path(places.run).mkdir()
    return places


def test_the_end_of_a_process_is_read_with_its_record(places: Places) -> None:
    records.begin(places, BEGUN)
    assert records.load(places, "hub", "7-1") == BEGUN
    records.end(places, ENDED)
    assert records.load(places, "hub", "7-1") == ENDED
    assert records.load_all(places, "hub") == {"7-1": ENDED}


def test_an_end_does_not_bring_back_what_was_erased(places: Places) -> None:
    records.begin(places, BEGUN)
    records.remove(places, "7-1")
    records.end(places, ENDED)
    assert records.load(places, "hub", "7-1") is None
    assert list(Path(places.run).iterdir()) == []


@pytest.mark.parametrize("other", [{"pid": 13}, {"start": 346}, {"boot": "another"}])
def test_the_end_of_another_process_of_the_same_name_counts_for_nothing(
    places: Places, other: dict[str, object]
) -> None:
    again = BEGUN._replace(**other)  # type: ignore[arg-type]
    records.begin(places, again)
    records.end(places, ENDED)
    assert records.load(places, "hub", "7-1") == again


def test_a_line_that_is_cut_off_counts_for_nothing(places: Places) -> None:
    records.begin(places, BEGUN)
    records.end(places, ENDED)
    file = Path(places.record("7-1"))
    whole = file.read_bytes()
    begun = len(whole.splitlines()[0])
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        seen = records.load(places, "hub", "7-1")
        whole_line = {begun: BEGUN, len(whole) - 1: ENDED}.get(size, BEGUN if size > begun else None)
        assert seen == whole_line


def test_a_record_of_a_release_that_wrote_one_line_without_an_end_is_read(places: Places) -> None:
    records.begin(places, ENDED)
    file = Path(places.record("7-1"))
    file.write_bytes(file.read_bytes().rstrip())
    assert records.load(places, "hub", "7-1") == ENDED


def test_a_name_that_is_used_again_begins_anew(places: Places) -> None:
    records.begin(places, BEGUN)
    records.end(places, ENDED)
    again = BEGUN._replace(pid=99)
    records.begin(places, again)
    assert records.load(places, "hub", "7-1") == again
