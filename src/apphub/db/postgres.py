"""PostgreSQL, driven by asyncpg: any number of hub replicas on one database.

SQLAlchemy writes the statements, and asyncpg alone runs them, from a pool of its own: a round
trip costs less than what SQLAlchemy's way to it does. Replicas tell each other what they
changed (LISTEN/NOTIFY). A replica that was not listening for a moment takes it that everything
has changed, and reads rows again.

Word of what others must not miss (rights, routes) is part of the transaction of the change itself.
PostgreSQL lets only one such transaction commit at a time, to the disk and back, so what is only
a hint (`changes.is_hint`) follows after the commit, for many commits at once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from apphub.db.changes import is_hint
from apphub.db.engine import Database, DatabaseAway, Tx, one_set
from apphub.db.prepared import Statements
from apphub.db.refusals import told
from apphub.db.rows import Rows
from apphub.db.types import encode_json

log = structlog.get_logger(__name__)

#: Where replicas tell each other what has changed.
CHANNEL = "apphub"
#: Seconds between two tries to listen.
RETRY = 0.5
#: Seconds after which the silence of the listening connection is questioned.
ASK = 10.0
#: Seconds that statements under way have when the hub ends.
CLOSE = 5.0
#: Connections of one hub, and statements that each keeps prepared.
CONNECTIONS, PREPARED = 10, 1000

#: What the driver says, each in its own way, when a connection has ended, also in the middle of something.
_LOST = (OSError, asyncpg.exceptions.InterfaceError, asyncpg.exceptions.InternalClientError)
#: The same, and what the database says itself.
_WRONG = (asyncpg.exceptions.PostgresError, *_LOST)


@contextmanager
def _failing() -> Iterator[None]:
    """What goes wrong in statements and in commits, as the errors that the hub knows."""
    try:
        yield
    except asyncpg.exceptions.PostgresError as error:
        raise told(error) from error
    except _LOST as error:
        raise DatabaseAway from error


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing is to be undone: no session setting, cursor or lock of ours outlives its transaction."""
        return ""


async def _read_json(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=str, decoder=msgspec.json.decode, format="text"
        )


class _PostgresTx(Tx):
    dialect = "postgresql"

    def __init__(self, connection: Any, statements: Statements, *, writes: bool = False) -> None:
        super().__init__(statements, writes=writes)
        self._connection = connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> Rows:
        given = one_set(parameters)
        with _failing():
            return await (self._many if isinstance(given, list) else self._one)(statement, given)

    async def _one(self, statement: sa.Executable, given: Mapping[str, Any]) -> Rows:
        prepared = self._statements.prepare(statement, given)
        values = prepared.arguments(given)
        if prepared.returns:
            found = await self._connection.fetch(prepared.sql, *values)
            return Rows(prepared.rows(found), len(found))
        status = await self._connection.execute(prepared.sql, *values)
        return Rows((), _count(status))

    async def _many(self, statement: sa.Executable, given: list[Mapping[str, Any]]) -> Rows:
        prepared = self._statements.prepare(statement, given[0])
        values = [prepared.arguments(one) for one in given]
        if prepared.returns:
            found = await self._connection.fetchmany(prepared.sql, values)
            return Rows(prepared.rows(found), len(found))
        await self._connection.executemany(prepared.sql, values)
        return Rows((), -1)


def _count(status: str) -> int:
    """Rows, of `UPDATE 3`; -1 for what counts none."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else -1


class PostgresDatabase(Database):
    """PostgreSQL by asyncpg; reads in autocommit, writes in transactions."""

    exclusive = False

    def __init__(self, url: str, pool: Any) -> None:
        super().__init__()
        self._url = url
        self._pool = pool
        self._statements = Statements(PGDialect_asyncpg(json_serializer=encode_json))  # type: ignore[no-untyped-call]
        #: Tells this replica's words from those of others.
        self._name = secrets.token_hex(8)
        self._hints: set[str] = set()
        self._hinting: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> PostgresDatabase:
        """The database at postgresql://…; connections are made as they are needed."""
        pool = await asyncpg.create_pool(  # type: ignore[no-untyped-call]
            url,
            min_size=0,
            max_size=CONNECTIONS,
            connection_class=_Connection,
            init=_read_json,
            statement_cache_size=PREPARED,
            max_cached_statement_lifetime=0,
            max_inactive_connection_lifetime=0,
        )
        return cls(url, pool)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Any]:
        try:
            connection = await self._pool.acquire()
        except _WRONG as error:
            raise DatabaseAway from error
        try:
            yield connection
        finally:
            with _failing():
                await self._pool.release(connection)

    @asynccontextmanager
    async def _read(self) -> AsyncGenerator[Tx]:
        async with self._connected() as connection:
            yield _PostgresTx(connection, self._statements)

    @asynccontextmanager
    async def _write(self) -> AsyncGenerator[Tx]:
        committing: list[str] = []
        try:
            async with self._connected() as connection:
                with _failing():
                    await connection.execute("begin")
                    try:
                        tx = _PostgresTx(connection, self._statements, writes=True)
                        yield tx
                        for sql, rows in tx.late.items():
                            await connection.executemany(sql, rows)
                        committing = tx.topics
                        told = self._telling([topic for topic in committing if not is_hint(topic)])
                        # In one round trip: a text cannot have parameters then.
                        ended = await connection.execute(f"{told}; commit" if told else "commit")
                    except BaseException:
                        with suppress(*_WRONG):
                            await connection.execute("rollback")
                        raise
                    if ended != "COMMIT":
                        raise RuntimeError("A statement failed, and the transaction went on.")
        finally:
            # Told also when the caller gives up during the commit, which may have succeeded.
            self.changes.tell(committing)
            self._hint(filter(is_hint, committing))

    def _telling(self, topics: Sequence[str]) -> str:
        words = (f"{self._name} {topic}".replace("'", "''") for topic in topics)
        told = ", ".join(f"pg_notify('{CHANNEL}', '{word}')" for word in words)
        return f"select {told}" if told else ""

    def _hint(self, topics: Iterable[str]) -> None:
        self._hints.update(topics)
        if self._hints and self._hinting is None:
            self._hinting = asyncio.create_task(self._send_hints())

    async def _send_hints(self) -> None:
        try:
            while self._hints:
                topics, self._hints = sorted(self._hints), set()
                with suppress(DatabaseAway):  # whoever waits for them looks at the rows
                    async with self._connected() as connection:
                        with _failing():
                            await connection.execute(self._telling(topics))
        finally:
            self._hinting = None

    async def hear(self) -> None:
        """One connection listens; whenever it had to be made anew, everybody looks at the rows again."""
        while True:
            try:
                connection = await asyncpg.connect(self._url)  # type: ignore[no-untyped-call]
            except _WRONG as error:
                log.warning("database.away", error=str(error))
                await asyncio.sleep(RETRY)
                continue
            try:
                await self._hear_on(connection)
            except _WRONG as error:
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
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE):
                if self._hinting is not None:
                    await self._hinting
                await self._pool.close()
