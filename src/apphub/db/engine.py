"""Open a database and hand out transactions.

A store says `await tx.execute(statement)` and never learns which database answers. Reads run
outside transactions, one statement each. An action's writes run in one `db.write()` block;
nothing but statements is awaited inside it.

`tx.changed(topic)` marks what a transaction changes; listeners in this process (and, on
PostgreSQL, in every replica) hear of it after the commit.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa

from apphub.db.changes import Changes
from apphub.db.prepared import Statements
from apphub.db.rows import Rows
from apphub.errors import Conflict, HubError, Unavailable


class DatabaseUnusable(HubError):
    """The database cannot be opened, or not by this hub."""


class DatabaseAway(Unavailable):
    """The database does not answer just now; what was asked has perhaps been done."""

    def __init__(self) -> None:
        super().__init__("The database does not answer.", "Try again in a moment.")


class Clash(Conflict):
    """A row with this key is there already; no statement can follow in the transaction."""

    def __init__(self) -> None:
        super().__init__("That clashes with something that is there already.", "Look again.")


class InTheWay(Conflict):
    """Two transactions waited for each other, and this one gave way: it can be tried again."""


class Tx(ABC):
    """A place to run statements: one transaction, or (for reads) one statement at a time."""

    #: Name of the SQL dialect, for statements that must be spelled differently (only in `db`).
    dialect: str

    def __init__(self, statements: Statements, *, writes: bool) -> None:
        self._statements = statements
        self._writes = writes
        #: Rows to insert last of all, as the driver takes them, by the statement.
        self.late: dict[str, list[list[Any]]] = {}
        self.topics: list[str] = []
        #: A part of it has raised: it must not be committed.
        self.spoiled = False
        #: It has ended: whoever still holds it does not belong to it.
        self.over = False

    @abstractmethod
    async def execute(self, statement: sa.Executable, parameters: Any = None) -> Rows:
        """Run one statement, perhaps (for inserts) with many sets of parameters."""

    def later(self, insert: sa.Insert, row: Mapping[str, Any]) -> None:
        """Insert a row that nothing else here reads: just before the commit, where others' rows come with it."""
        assert self._writes, "Nothing is written where there is nothing to commit."
        prepared = self._statements.prepare(insert, row)
        self.late.setdefault(prepared.sql, []).append(prepared.arguments(row))

    def changed(self, *topics: str) -> None:
        """Tell listeners of these topics once the transaction has been committed."""
        self.topics.extend(topic for topic in topics if topic not in self.topics)


#: The transaction that this task's blocks are part of.
_JOINED: ContextVar[Tx | None] = ContextVar("joined", default=None)


class Database(ABC):
    """What the actions hold: reads, writes and news of changes."""

    #: Whether this process is the only one that may use it.
    exclusive: bool

    def __init__(self) -> None:
        self.changes = Changes()

    @property
    def joined(self) -> bool:
        """Whether what this task reads and writes is part of a transaction (`as_one`)."""
        return _joined() is not None

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Run single statements, each seeing what is committed when it starts."""
        return self._read() if (tx := _joined()) is None else _part_of(tx)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """One transaction: committed when the block ends, undone when it raises."""
        return self._write() if (tx := _joined()) is None else _part_of(tx)

    @asynccontextmanager
    async def as_one(self) -> AsyncGenerator[Tx]:
        """One transaction of which all reads and writes are part that this task does in the block."""
        async with self._write() as tx:
            joined = _JOINED.set(tx)
            try:
                yield tx
            finally:
                tx.over = True
                _JOINED.reset(joined)
            if tx.spoiled:
                raise RuntimeError("A part of the transaction failed, and the rest went on.")

    @abstractmethod
    def _read(self) -> AbstractAsyncContextManager[Tx]:
        """`read`, outside any other transaction."""

    @abstractmethod
    def _write(self) -> AbstractAsyncContextManager[Tx]:
        """`write`, outside any other transaction."""

    async def hear(self) -> None:
        """Listen to what other replicas change, until cancelled; nothing to do where there are none."""
        await asyncio.Event().wait()

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""


def one_set(parameters: Any) -> Any:
    """The parameters of one execution: no list of sets where there is only one."""
    if parameters is None:
        return {}
    return parameters[0] if isinstance(parameters, list) and len(parameters) == 1 else parameters


def _joined() -> Tx | None:
    # A task that was begun in the block outlives it with the block's context.
    tx = _JOINED.get()
    return None if tx is None or tx.over else tx


@asynccontextmanager
async def _part_of(tx: Tx) -> AsyncGenerator[Tx]:
    try:
        yield tx
    except BaseException:
        tx.spoiled = True
        raise
