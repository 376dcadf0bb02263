"""People to be added, as somebody pasted them: one on a line, with groups and whether they administrate.

    name,groups,admin
    ada,analysts geo,no
    bob

A first line that begins with `name` says which column is which; without one they are in this order.
"""

from __future__ import annotations

import csv
from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from apphub.errors import Invalid
from apphub.people.model import parse_group_name, parse_user_name

#: Lines at once.
MOST = 5000
COLUMNS = ("name", "groups", "admin")
_YES = frozenset({"yes", "y", "true", "1", "admin", "x"})
_NO = frozenset({"", "no", "n", "false", "0"})


class Line(Struct, frozen=True):
    """Somebody to be added."""

    number: int
    name: str
    groups: tuple[str, ...] = ()
    admin: bool = False
    #: Why they cannot be.
    problem: str = ""
    #: Whether they are there already, so that only groups are new.
    known: bool = False


def read_lines(text: str) -> list[Line]:
    """What was pasted, each line with what is wrong with it; raises `Invalid` for what is no list at all."""
    rows = [(number, row) for number, row in enumerate(_rows(text), 1) if any(cell.strip() for cell in row)]
    columns: tuple[str, ...] = COLUMNS
    if rows and rows[0][1][0].strip().lower() == "name":
        columns = tuple(cell.strip().lower() for cell in rows.pop(0)[1])
        if unknown := [one for one in columns if one not in COLUMNS]:
            raise Invalid(f"There is no column {unknown[0]!r}.", "Columns are name, groups and admin.")
    if len(rows) > MOST:
        raise Invalid(f"These are {len(rows)} lines; {MOST} are the most at once.")
    seen: set[str] = set()
    lines = []
    for number, row in rows:
        line = _line(number, dict(zip(columns, row, strict=False)), extra=len(row) > len(columns))
        if not line.problem and line.name in seen:
            line = replace(line, problem="The same name stands on a line above.")
        seen.add(line.name)
        lines.append(line)
    return lines


def judged(lines: list[Line], taken: Collection[str], groups: Collection[str]) -> list[Line]:
    """The lines, with what only the database knows: which names are taken, which groups there are."""
    return [_judged(line, taken, groups) for line in lines]


def _judged(line: Line, taken: Collection[str], groups: Collection[str]) -> Line:
    if line.problem:
        return line
    missing = [name for name in line.groups if name not in groups]
    if missing:
        return replace(line, problem=f"There is no group {missing[0]}.")
    known = line.name in taken
    if known and not line.groups:
        return replace(line, known=True, problem="This user is there already, and no group is named.")
    return replace(line, known=known)


def _rows(text: str) -> list[list[str]]:
    try:
        first = next((line for line in text.splitlines() if line.strip()), "")
        comma = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
        return list(csv.reader(text.splitlines(), delimiter=comma, strict=True))
    except csv.Error as error:
        raise Invalid(f"This cannot be read as CSV: {error}.") from None


def _line(number: int, cells: dict[str, str], *, extra: bool) -> Line:
    name = cells.get("name", "").strip()
    admin = cells.get("admin", "").strip().lower()
    groups = tuple(dict.fromkeys(cells.get("groups", "").replace(";", " ").replace("|", " ").split()))
    try:
        line = Line(number, parse_user_name(name), groups, admin in _YES)
        for group in groups:
            parse_group_name(group)
    except Invalid as error:
        return Line(number, name[:255], groups, problem=str(error))
    if extra:
        return replace(line, problem="This line has more columns than there are: quote what holds a comma.")
    if admin not in _YES | _NO:
        return replace(line, problem=f"Whether somebody administrates is yes or no, not {admin[:20]!r}.")
    return line
