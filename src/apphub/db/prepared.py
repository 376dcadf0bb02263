"""Statements that are run again and again, kept as the text and the conversions they come to.

SQLAlchemy writes the SQL, and runs what is run once. To find a statement among those it has
compiled, and to wrap its result, costs it several times what SQLite needs for the answer; so a
statement that comes a second time (the same object: stores build theirs when they are imported)
goes to the driver as it is from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast
from weakref import WeakSet

import msgspec
import sqlalchemy as sa
from msgspec import Struct, field
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], Any]

#: Statements kept: several times what there are, for some are made anew and run twice.
MOST_STATEMENTS = 2000
#: Values in lists (`IN (…)`) and lengths of lists that a statement is kept for.
MOST_VALUES, MOST_LENGTHS = 64, 256


#: One parameter of the driver's, out of what is given.
Place = Callable[[Mapping[str, Any]], Any]


def _constant(value: Any) -> Place:
    """A value that is part of the statement."""
    return lambda _: value


def _place(name: str, position: int | None, convert: Convert | None) -> Place:
    """A value that is given, or (by its `position`) one of a list."""
    if position is None:
        return itemgetter(name) if convert is None else lambda given: convert(given[name])
    if convert is None:
        return lambda given: given[name][position]
    return lambda given: convert(given[name][position])


class Prepared(Struct, frozen=True):
    """One text for the driver."""

    sql: str
    places: tuple[Place, ...]
    #: Columns that the driver does not give as the values they are.
    converts: tuple[tuple[int, Convert], ...]
    returns: bool
    #: It gives the new row's key, and the driver tells that without being asked, in half the time.
    key: bool = False

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """The driver's parameters, in its order."""
        return [place(given) for place in self.places]

    def rows(self, found: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """The driver's rows, converted."""
        if not self.converts:
            return found
        converted = []
        for row in found:
            values = list(row)
            for position, convert in self.converts:
                values[position] = convert(values[position])
            converted.append(tuple(values))
        return converted


class _Compiled(Struct, frozen=True):
    """A statement with a set of parameters: one text, or one for all lengths of its lists."""

    dialect: sa.Dialect
    compiler: SQLCompiler
    types: tuple[sa.types.TypeEngine[Any], ...]
    lists: tuple[str, ...]
    key: bool
    texts: dict[tuple[int, ...], Prepared] = field(default_factory=dict)

    def text(self, given: Mapping[str, Any]) -> Prepared | None:
        lengths = tuple([len(given[name]) for name in self.lists]) if self.lists else ()
        text = self.texts.get(lengths)
        if text is None and sum(lengths) <= MOST_VALUES and len(self.texts) < MOST_LENGTHS:
            text = self.texts[lengths] = self.write(given)
        return text

    def write(self, given: Mapping[str, Any]) -> Prepared:
        state = self.compiler.construct_expanded_state(dict(given), escape_names=False)
        members = {
            member: (name, position)
            for name, names in state.parameter_expansion.items()
            for position, member in enumerate(names)
        }
        places = []
        for key in state.positiontup or ():
            name, position = members.get(key, (key, None))
            convert = self._type(self.compiler.binds[name].type).bind_processor(self.dialect)
            if name in given:
                places.append(_place(name, position, convert))
            else:
                value = state.parameters[key]
                places.append(_constant(value if convert is None else convert(value)))
        returns = bool(self.types) or not isinstance(self.compiler.statement, sa.UpdateBase)
        return Prepared(state.statement, tuple(places), self._converts(), returns or self.key, self.key)

    def _converts(self) -> tuple[tuple[int, Convert], ...]:
        found = (self._convert(self._type(one)) for one in self.types)
        return tuple((position, convert) for position, convert in enumerate(found) if convert is not None)

    def _convert(self, one: sa.types.TypeEngine[Any]) -> Convert | None:
        if isinstance(one, sa.Numeric | sa.Float):
            return None  # floats: both drivers give them as they are
        convert = one.result_processor(self.dialect, None)
        return _json if convert is not None and isinstance(one, sa.JSON) else convert

    def _type(self, one: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
        return one.dialect_impl(self.dialect)


def _json(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


class Statements:
    """The statements of one database that have been run before."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        #: Those that were run once.
        self._seen: WeakSet[sa.Executable] = WeakSet()
        #: Those that came again, each by the names of what it was given.
        self._kept: dict[sa.Executable, dict[tuple[str, ...], _Compiled]] = {}

    def __len__(self) -> int:
        return len(self._seen) + len(self._kept)

    def prepare(self, statement: sa.Executable, given: Mapping[str, Any]) -> Prepared:
        """What to hand to a driver that is given everything this way: from the second time on, what is kept."""
        found = self.find(statement, given)
        return found or self._compile(statement, tuple(given)).write(given)

    def find(self, statement: sa.Executable, given: Mapping[str, Any]) -> Prepared | None:
        """What to hand to the driver; None when it is the first time, or better left to SQLAlchemy."""
        forms = self._kept.get(statement)
        if forms is None:
            if not self._comes_again(statement):
                return None
            forms = self._kept[statement] = {}
        names = tuple(given)
        compiled = forms.get(names)
        if compiled is None:
            compiled = forms[names] = self._compile(statement, names)
        return compiled.text(given)

    def _comes_again(self, statement: sa.Executable) -> bool:
        if statement in self._seen:
            self._seen.discard(statement)
            return True
        if len(self) >= MOST_STATEMENTS:
            self._seen.clear()
            self._kept.clear()
        if isinstance(statement, sa.Select | sa.UpdateBase):
            self._seen.add(statement)
        return False

    def _compile(self, statement: sa.Executable, names: tuple[str, ...]) -> _Compiled:
        columns: Any = ()
        key = self._dialect.name == "sqlite" and _gives_key(statement)
        if key:
            statement = sa.insert(cast("sa.Insert", statement).table)
        if isinstance(statement, sa.UpdateBase):
            columns = statement.returning_column_descriptions
            if isinstance(statement, sa.Insert) and not columns:
                statement = statement.inline()  # nobody asks for the new key
        elif isinstance(statement, sa.Select | sa.CompoundSelect):
            first = statement.selects[0] if isinstance(statement, sa.CompoundSelect) else statement
            columns = cast("sa.Select[*tuple[Any, ...]]", first).column_descriptions
        compiler = cast(
            "SQLCompiler",
            cast("sa.ClauseElement", statement).compile(dialect=self._dialect, column_keys=list(names)),
        )
        lists = tuple(name for name, bind in compiler.binds.items() if bind.expanding and name in names)
        return _Compiled(self._dialect, compiler, tuple(column["type"] for column in columns), lists, key)


def _gives_key(statement: sa.Executable) -> bool:
    """Whether it is an insert of plain values that returns the number which the database gave the row."""
    if not isinstance(statement, sa.Insert) or not isinstance(statement.table, sa.Table):
        return False
    key = statement.table.autoincrement_column
    return key is not None and statement.compare(sa.insert(statement.table).returning(key))
