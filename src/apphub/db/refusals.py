"""What a database refuses because of what people asked, as the error it is: the same words for both.

Actions look before they write and say better what is wrong; this is for what comes between
the look and the write, and for what nobody looks for.
"""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.engine import Clash, DatabaseAway, InTheWay
from apphub.errors import Invalid


def told(error: Exception) -> Exception:
    """The error to raise, by PostgreSQL's code (its manual, appendix A) or SQLite's name for it."""
    cause = (error.orig or error) if isinstance(error, sa.exc.DBAPIError) else error
    code = str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None))
    if code.startswith(("08", "57P", "53300")):
        return DatabaseAway()
    match code:
        case "22021" | "22P05":
            return Invalid("A text holds a character that cannot be kept (NUL).")
        case "23505" | "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY":
            return Clash()
        case "40001" | "40P01":
            return InTheWay("Somebody else changed the same thing at the same moment.", "Try again.")
        case _:
            return error
