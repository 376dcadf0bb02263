"""Let one transaction at a time do what counts and then adds: a limit, for example.

SQLite's writers take turns anyway. On PostgreSQL two could count the same rows, each find
room for one more, and both take it.
"""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.engine import Tx

#: Numbers of the advisory locks, one for each thing that is counted (`migrate.LOCK` is another).
ACTIVE_SERVERS = 4_817_220_932
ADMISSION = 4_817_220_933
DECLARED = 4_817_220_934
LAUNCH_RIGHTS = 4_817_220_935
JOBS = 4_817_220_936
ROUTED = 4_817_220_937
LINE = 4_817_220_938


_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("number", type_=sa.BigInteger)))


async def take_turns(tx: Tx, number: int) -> None:
    """Wait for the transactions that hold this number, and hold it until this one ends."""
    if tx.dialect == "postgresql":
        await tx.execute(_LOCK, {"number": number})
