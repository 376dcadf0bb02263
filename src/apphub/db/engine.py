"""Open a database and hand out transactions.

A store says `await tx.execute(statement)` and never learns which database answers. Reads run
outside transactions, one statement each. An action's writes run in one `db.write()` block;
nothing but statements is awaited inside it.

`tx.changed(topic)` marks what a transaction changes; listeners in this process (and, on
PostgreSQL, in every replica) hear of it after the commit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from apphub.db.changes import Changes
from apphub.errors import Conflict, HubError, Invalid


class DatabaseUnusable(HubError):
    """The database cannot be opened, or not by this hub."""


class Tx(ABC):
    """A place to run statements: one transaction, or (for reads) one statement at a time."""

    #: Name of the SQL dialect, for statements that must be spelled differently (only in `db`).
    dialect: str

    def __init__(self) -> None:
        self.topics: list[str] = []

    @abstractmethod
    async def execute(
        self, statement: sa.Executable, parameters: Any = None
    ) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run one statement; its whole result is in memory."""

    def changed(self, *topics: str) -> None:
        """Tell listeners of these topics once the transaction has been committed."""
        self.topics.extend(topic for topic in topics if topic not in self.topics)


class Database(ABC):
    """What the actions hold: reads, writes and news of changes."""

    #: Whether this process is the only one that may use it.
    exclusive: bool

    def __init__(self) -> None:
        self.changes = Changes()

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Run single statements, each seeing what is committed when it starts."""

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[Tx]:
        """One transaction: committed when the block ends, undone when it raises."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""


class _PostgresTx(Tx):
    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__()
        self._connection = connection

    async def execute(
        self, statement: sa.Executable, parameters: Any = None
    ) -> sa.CursorResult[*tuple[Any, ...]]:
        try:
            return await self._connection.execute(statement, parameters)
        except sa.exc.DBAPIError as error:
            raise _told(error) from error


def _told(error: sa.exc.DBAPIError) -> Exception:
    """What people can cause here and cannot on SQLite, as the error it is (PostgreSQL's manual, appendix A)."""
    match getattr(error.orig, "sqlstate", None):
        case "22021" | "22P05":
            return Invalid("A text holds a character that cannot be kept (NUL).")
        case "23505" | "40001" | "40P01":
            return Conflict("Somebody else changed the same thing at the same moment.", "Try again.")
        case _:
            return error


class PostgresDatabase(Database):
    """PostgreSQL by asyncpg; reads in autocommit, writes in transactions."""

    exclusive = False

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Tx]:
        async with self._reads.connect() as connection:
            yield _PostgresTx(connection)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Tx]:
        committing: list[str] = []
        try:
            async with self._engine.begin() as connection:
                tx = _PostgresTx(connection)
                yield tx
                for topic in tx.topics:
                    await tx.execute(sa.select(sa.func.pg_notify("apphub", topic)))
                committing = tx.topics
        finally:
            # Told also when the caller gives up during the commit, which may have succeeded.
            self.changes.tell(committing)

    async def close(self) -> None:
        await self._engine.dispose()


def encode_json(value: Any) -> str:
    """JSON as text, the way the database drivers want it."""
    return msgspec.json.encode(value).decode()
