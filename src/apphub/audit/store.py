"""The audit table is only ever inserted into."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from apphub.audit.model import By
from apphub.db import Tx
from apphub.db import tables as t
from apphub.kit import clock

_INSERT = sa.insert(t.audit)


async def insert_entry(
    tx: Tx, by: By, action: str, target: str, *, before: Any = None, after: Any = None
) -> None:
    """Note that `by` did `action` (`group.members.add`) to `target` (`group:analysts`). No secrets."""
    await tx.execute(
        _INSERT,
        {
            "at": clock.now(),
            "actor": by.actor,
            "behalf": by.behalf,
            "action": action,
            "target": target,
            "before": before,
            "after": after,
            "address": by.address,
            "request_id": by.request_id,
        },
    )


async def insert_entries(tx: Tx, by: By, action: str, targets: list[str]) -> None:
    """The same action on many targets, in one statement."""
    shared = {"at": clock.now(), "actor": by.actor, "behalf": by.behalf, "action": action}
    shared |= {"before": None, "after": None, "address": by.address, "request_id": by.request_id}
    if targets:
        await tx.execute(_INSERT, [{**shared, "target": target} for target in targets])
