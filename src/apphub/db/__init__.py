"""The database: one way to speak to SQLite and PostgreSQL, the tables, and word of what changed."""

from apphub.db.engine import Clash, Database, DatabaseAway, InTheWay, Tx
from apphub.db.open import open_database
from apphub.db.wait import once_there

__all__ = ["Clash", "Database", "DatabaseAway", "InTheWay", "Tx", "once_there", "open_database"]
