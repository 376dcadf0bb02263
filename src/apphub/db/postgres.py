"""PostgreSQL, driven by asyncpg: any number of hub replicas on one database.

Replicas tell each other what they changed (LISTEN/NOTIFY, in the transaction of the change
itself). The word is a hint: a replica that was not listening for a moment takes it that
everything has changed, and reads rows again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from apphub.db.engine import Database, DatabaseAway, Tx, one_set
from apphub.db.refusals import told
from apphub.db.rows import Rows, rows_of

log = structlog.get_logger(__name__)

#: Where replicas tell each other what has changed.
CHANNEL = "apphub"
#: Seconds between two tries to listen.
RETRY = 0.5
#: Seconds after which the silence of the listening connection is questioned.
ASK = 10.0

#: What the driver says, each in its own way, when the database is not there.
_LOST = (OSError, asyncpg.exceptions.PostgresError, asyncpg.exceptions.InterfaceError)

#: All words of a transaction in one round trip.
_WORDS = sa.func.unnest(sa.bindparam("words", type_=postgresql.ARRAY(sa.Text))).column_valued("word")
_NOTIFY = sa.select(sa.func.pg_notify(CHANNEL, _WORDS))


def for_engine(url: sa.URL) -> sa.URL:
    """The URL as SQLAlchemy wants it, which calls `sslmode` by another name."""
    return _renamed(url.set(drivername="postgresql+asyncpg"), "sslmode", "ssl")


def _for_driver(url: sa.URL) -> sa.URL:
    """The URL as the driver itself reads it (and PostgreSQL's own programs do)."""
    return _renamed(url.set(drivername="postgresql"), "ssl", "sslmode")


def _renamed(url: sa.URL, old: str, new: str) -> sa.URL:
    return url.set(query={new if name == old else name: value for name, value in url.query.items()})


@contextmanager
def _away() -> Iterator[None]:
    """What goes wrong in connecting and committing, as the errors that the hub knows."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise told(error) from error
    except _LOST as error:
        raise DatabaseAway from error


class _PostgresTx(Tx):
    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__()
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> Rows:
        try:
            return rows_of(await self._connection.execute(statement, one_set(parameters)))
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
    async def _read(self) -> AsyncGenerator[Tx]:
        with _away():
            async with self._reads.connect() as connection:
                yield _PostgresTx(connection)

    @asynccontextmanager
    async def _write(self) -> AsyncGenerator[Tx]:
        committing: list[str] = []
        try:
            with _away():
                async with self._engine.begin() as connection:
                    tx = _PostgresTx(connection)
                    yield tx
                    if tx.topics:
                        await tx.execute(_NOTIFY, {"words": [f"{self._name} {topic}" for topic in tx.topics]})
                    committing = tx.topics
        finally:
            # Told also when the caller gives up during the commit, which may have succeeded.
            self.changes.tell(committing)

    async def hear(self) -> None:
        """One connection listens; whenever it had to be made anew, everybody looks at the rows again."""
        url = _for_driver(self._engine.url).render_as_string(hide_password=False)
        while True:
            try:
                connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call]
            except _LOST as error:
                log.warning("database.away", error=str(error))
                await asyncio.sleep(RETRY)
                continue
            try:
                await self._hear_on(connection)
            except _LOST as error:
                log.warning("database.unheard", error=str(error))
            finally:
                connection.terminate()

    async def _hear_on(self, connection: Any) -> None:
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        await connection.add_listener(CHANNEL, self._heard)
        self.changes.tell_all()
        while not gone.is_set():
            try:
                async with asyncio.timeout(ASK):
                    await gone.wait()
            except TimeoutError:
                # A connection may be dead without anybody having said so.
                await connection.execute("select 1", timeout=ASK)

    def _heard(self, _: Any, __: int, ___: str, word: object) -> None:
        name, _, topic = str(word).partition(" ")
        if name != self._name:
            self.changes.tell([topic])

    async def close(self) -> None:
        await self._engine.dispose()
