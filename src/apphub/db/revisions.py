"""The revisions of the tables, as Alembic keeps them.

Imported only where there is something to bring up to date: Alembic is ten megabytes and a fifth
of a second of every start.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from apphub.db.engine import DatabaseUnusable
from apphub.db.migrate import note_oldest
from apphub.kit.versions import parts


def scripts() -> ScriptDirectory:
    """The revisions there are."""
    return ScriptDirectory.from_config(_config())


def bring_up(connection: sa.Connection, stamped: str | None) -> None:
    """Go from the revision that the database has to the newest. Raises `DatabaseUnusable`."""
    found = scripts()
    if stamped is not None and stamped not in {revision.revision for revision in found.walk_revisions()}:
        return  # a newer release has expanded it, and said (`schema_info`) that this one can go on
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseUnusable(f"The database could not be brought up to date: {error}.") from error
    note_oldest(connection, max((str(one.module.OLDEST) for one in found.walk_revisions()), key=parts))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config
