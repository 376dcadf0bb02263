"""SQLite, driven synchronously on the event loop.

Measured, a statement costs 20 to 150 µs that way and ten times as much through a thread, so
statements run where they stand; after one with many values, and in the midst of many rows,
others have their turn. What may wait for a disk does not: COMMIT runs in a thread.
All writers that queue up meanwhile share the next commit, each in a savepoint of its own, and a
commit waits, a millisecond at most, until as many have come as shared the last one; so a hundred
writes at once cost a few fsyncs (`synchronous=FULL`: an acknowledged write survives a power cut).
Rows for later (the log's) of all of them go in together, just before it: four indexes stay at hand then.

Two connections: one for writing, guarded by a lock, and one for reading, which sees what is
committed (WAL). One process only; `serve` holds a lock on the data folder.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from apphub.db.changes import heard
from apphub.db.engine import Database, DatabaseUnusable, Tx, one_set
from apphub.db.prepared import MOST_VALUES, Prepared, Statements
from apphub.db.refusals import told
from apphub.db.rows import Rows, rows_of
from apphub.db.types import encode_json

#: Sets of parameters (of inserts) that are run in one go: some milliseconds.
SETS = 200
#: A commit waits at most this long (seconds) for as many writers as shared the last one: those that were answered
#: together come again together, but not in the same turn of the loop.
COMPANY = 0.001


def connect(path: Path) -> sa.Connection:
    """One connection with the hub's pragmas; transactions are begun and ended by hand."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": 0, "cached_statements": 512},
        json_serializer=encode_json,
        json_deserializer=msgspec.json.decode,
    )
    try:
        connection = engine.connect()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=0",
            "temp_store=MEMORY",
            "cache_size=-16000",
        ):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
    except sa.exc.DBAPIError as error:
        raise DatabaseUnusable(
            f"The database {path} cannot be opened: {error.orig}.", "Look at its owner, mode and disk."
        ) from error
    return connection


#: How the driver refuses: the last two for values that no database takes.
_REFUSED = (sqlite3.Error, ValueError, OverflowError)


class _SqliteTx(Tx):
    dialect = "sqlite"

    def __init__(self, connection: sa.Connection, statements: Statements, *, writes: bool = False) -> None:
        super().__init__(statements, writes=writes)
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> Rows:
        given = one_set(parameters)
        prepared = None if isinstance(given, list) else self._statements.find(statement, given)
        try:
            if prepared is not None:
                cursor = self._driver.execute(prepared.sql, prepared.arguments(given))
                rows = prepared.rows(_found(prepared, cursor)) if prepared.returns else ()
                return Rows(rows, cursor.rowcount)
            if isinstance(given, list):
                return await self._run_many(statement, given)
            found = rows_of(self._connection.execute(statement, given))
        except (sqlite3.IntegrityError, sa.exc.IntegrityError) as error:
            raise told(error) from error
        if any(isinstance(value, list) and len(value) > MOST_VALUES for value in given.values()):
            await asyncio.sleep(0)
        return found

    async def _run_many(self, statement: sa.Executable, sets: list[Any]) -> Rows:
        """Run it with each set of parameters, and let others have their turn now and then."""
        prepared = self._statements.prepare(statement, sets[0])
        rows: list[Any] = []
        count = 0
        for first in range(0, len(sets), SETS):
            some = [prepared.arguments(one) for one in sets[first : first + SETS]]
            if prepared.returns:
                for arguments in some:
                    rows += _found(prepared, self._driver.execute(prepared.sql, arguments))
            else:
                count += self._driver.executemany(prepared.sql, some).rowcount
            await asyncio.sleep(0)
        return Rows(prepared.rows(rows), len(rows) if prepared.returns else count)


def _found(prepared: Prepared, cursor: Any) -> list[Any]:
    return [(cursor.lastrowid,)] if prepared.key else cursor.fetchall()


class _Committer:
    """Commits in a thread of its own: COMMIT may wait for a disk. (A pool's thread costs twice as much to wake.)"""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._asked: SimpleQueue[asyncio.Future[sqlite3.Error | None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    async def commit(self) -> None:
        """Commit what is open. Raises what SQLite says."""
        done: asyncio.Future[sqlite3.Error | None] = asyncio.get_running_loop().create_future()
        self._asked.put(done)
        if (error := await done) is not None:
            raise error

    def _run(self) -> None:
        while (done := self._asked.get()) is not None:
            error = None
            try:
                self._driver.execute("COMMIT")
            except sqlite3.Error as refused:
                error = refused
            done.get_loop().call_soon_threadsafe(done.set_result, error)

    def close(self) -> None:
        """End the thread, which has nothing left to do."""
        self._asked.put(None)
        self._thread.join()


class _Batch:
    """Writers that will be committed together."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        #: What they insert last of all (see `Tx.later`).
        self._late: dict[str, list[list[Any]]] = {}
        self.writers = 0
        #: As many have come as shared the last commit.
        self.full = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def committed(self) -> asyncio.Future[None]:
        """What one writer waits for; it may give up, and what it wrote is committed, and told, all the same."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting

    def take(self, written: Tx) -> None:
        """A writer has ended well."""
        self.topics.update(written.topics)
        for sql, rows in written.late.items():
            self._late.setdefault(sql, []).extend(rows)

    async def insert(self, driver: Any) -> None:
        """Insert what is left to insert, and let others have their turn now and then."""
        for sql, rows in self._late.items():
            for first in range(0, len(rows), SETS):
                if first:
                    await asyncio.sleep(0)
                driver.executemany(sql, rows[first : first + SETS])

    def end(self, error: Exception | None = None) -> None:
        """Tell all who wait that they are committed, or why not."""
        for waiting in self._waiting:
            if waiting.done():
                continue
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)


class _Part(_SqliteTx):
    """What one writer writes of the transaction that is open: undone by itself when its block raises."""

    def __init__(
        self,
        connection: sa.Connection,
        statements: Statements,
        lock: asyncio.Lock,
        join: Callable[[], _Batch],
    ) -> None:
        super().__init__(connection, statements, writes=True)
        self._lock, self._join = lock, join

    async def __aenter__(self) -> Tx:
        await self._lock.acquire()
        try:
            self._batch = self._join()
            self._driver.execute("SAVEPOINT writer")
        except BaseException:
            self._lock.release()
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                self._driver.execute("ROLLBACK TO writer")
            self._driver.execute("RELEASE writer")
        finally:
            self._lock.release()
        if error is None:
            self._batch.take(self)
            await self._batch.committed()


class SqliteDatabase(Database):
    """The database file of a hub that is one process."""

    exclusive = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._writer = connect(path)
        self._reader = connect(path)
        self._driver: Any = self._writer.connection.dbapi_connection
        self._statements = Statements(self._writer.dialect)
        self._reading = nullcontext(_SqliteTx(self._reader, self._statements))
        self._committer = _Committer(self._driver)
        self._lock = asyncio.Lock()
        self._batch: _Batch | None = None
        #: Writers that shared the last commit.
        self._company = 1
        self._commits: set[asyncio.Task[None]] = set()

    def _read(self) -> AbstractAsyncContextManager[Tx]:
        return self._reading

    def _write(self) -> AbstractAsyncContextManager[Tx]:
        return _Part(self._writer, self._statements, self._lock, self._join)

    def _join(self) -> _Batch:
        """The batch of the transaction that is open, or a new one, with one writer more; called with the lock held."""
        if self._batch is None:
            self._driver.execute("BEGIN IMMEDIATE")
            self._batch = _Batch()
            commit = asyncio.create_task(self._commit(self._batch))
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        self._batch.writers += 1
        if self._batch.writers >= self._company:
            self._batch.full.set()
        return self._batch

    async def _commit(self, batch: _Batch) -> None:
        """Commit once everybody who already waits for the lock has written: the lock is first come, first served."""
        # Requests that have come meanwhile are begun, and queue up.
        await asyncio.sleep(0)
        if self._company > 1:
            await heard(batch.full, COMPANY)
        async with self._lock:
            self._batch = None
            self._company = batch.writers
            try:
                await batch.insert(self._driver)
                await self._committer.commit()
            except _REFUSED as error:
                if self._driver.in_transaction:
                    self._driver.execute("ROLLBACK")
                batch.end(error)
            else:
                self.changes.tell(batch.topics)
                batch.end()

    async def close(self) -> None:
        if self._commits:
            await asyncio.wait(self._commits)
        async with self._lock:
            self._committer.close()
            for connection in (self._writer, self._reader):
                connection.close()
                connection.engine.dispose()
