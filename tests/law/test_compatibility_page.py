"""The pages that promise something name the tests that hold it, and forget no operation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from apphub.app import described

ROOT = Path(__file__).parents[2]
COMPATIBILITY = (ROOT / "docs" / "reference" / "compatibility.md").read_text()
SECURITY = (ROOT / "docs" / "explain" / "security.md").read_text()
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.M)
}
AREAS = {
    area
    for path in (ROOT / "tests" / "wire" / "conformance" / "scenarios").glob("*.yaml")
    for area in re.findall(r"^area: (\S+)", path.read_text(), re.M)
}


def test_every_operation_of_the_api_is_compared_once() -> None:
    named = Counter(re.findall(r"`((?:GET|HEAD|POST|PUT|PATCH|DELETE) /hub/[^`… ]*)`", COMPATIBILITY))
    there = {
        f"{method.upper()} /hub{path}" for path, methods in described()["paths"].items() for method in methods
    }
    assert there - named.keys() == set()
    assert [name for name, count in named.items() if count > 1 and name in there] == []


@pytest.mark.parametrize("page", [COMPATIBILITY, SECURITY], ids=["compatibility", "security"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 15
    assert named - TESTS == set()


def test_every_difference_names_what_holds_it() -> None:
    rows = [line for line in COMPATIBILITY.splitlines() if line.startswith("|") and "---" not in line]
    loose = [
        row
        for row in rows
        if not re.search(r"`test_\w+`|recorded|held by", row.rstrip("| ").rpartition("|")[2])
    ]
    assert loose == []


def test_every_area_that_the_page_names_is_recorded() -> None:
    named = {
        area
        for areas in re.findall(r"recorded(?: by hand)?: ([a-z, -]+)", COMPATIBILITY)
        for area in re.split(r",? (?:and )?", areas.strip(" ,"))
        if area not in ("", "recorded", "by", "hand")
    }
    assert named <= AREAS, named - AREAS


def test_every_lesson_has_a_row_and_a_test_or_a_reason() -> None:
    rows = dict(re.findall(r"^\| (R\d+) \|(.*)\|$", SECURITY, re.M))
    assert list(rows) == [f"R{number}" for number in range(1, 26)]
    assert [
        lesson
        for lesson, row in rows.items()
        if "`test_" not in row and "not applicable yet, because" not in row
    ] == []
