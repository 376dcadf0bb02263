"""PostgreSQL, driven by asyncpg: any number of hub replicas on one database.

Replicas tell each other what they changed (LISTEN/NOTIFY, in the transaction of the change
itself). The word is a hint: a replica that was not listening for a moment takes it that
everything has changed, and reads rows again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from apphub.db.engine import Database, Tx
from apphub.db.refusals import told

log = structlog.get_logger(__name__)

#: Where replicas tell each other what has changed.
CHANNEL = "apphub"
#: Seconds between two tries to listen.
RETRY = 0.5

_NOTIFY = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("word")))


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
            raise told(error) from error


class PostgresDatabase(Database):
    """PostgreSQL by asyncpg; reads in autocommit, writes in transactions."""

    exclusive = False

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        #: Tells this replica's words from those of others.
        self._name = secrets.token_hex(8)

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
                    await tx.execute(_NOTIFY, {"word": f"{self._name} {topic}"})
                committing = tx.topics
        finally:
            # Told also when the caller gives up during the commit, which may have succeeded.
            self.changes.tell(committing)

    async def hear(self) -> None:
        """One connection listens; whenever it had to be made anew, everybody looks at the rows again."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call]
            except (OSError, asyncpg.exceptions.PostgresError) as error:
                log.warning("database.away", error=str(error))
                await asyncio.sleep(RETRY)
                continue
            try:
                await self._hear_on(connection)
            finally:
                connection.terminate()

    async def _hear_on(self, connection: Any) -> None:
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        await connection.add_listener(CHANNEL, self._heard)
        self.changes.tell_all()
        await gone.wait()

    def _heard(self, _: Any, __: int, ___: str, word: object) -> None:
        name, _, topic = str(word).partition(" ")
        if name != self._name:
            self.changes.tell([topic])

    async def close(self) -> None:
        await self._engine.dispose()
