"""Which settings count where replicas have different ones: those whose files were changed last.

Without this, replicas with different files would undo each other's declarations in turns. The
one whose files are older leaves things as they are, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import structlog

from apphub.db import Database, Tx
from apphub.declared import store
from apphub.kit import clock
from apphub.settings import Profile, Settings

log = structlog.get_logger(__name__)


def changed_at(files: Iterable[Path]) -> datetime | None:
    """When any of the files was changed last; None where there is none."""
    moments = [file.stat().st_mtime for file in files if file.exists()]
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


async def is_newest(tx: Tx, db: Database, what: str, digest: str, at: datetime | None) -> bool:
    """Whether `what` counts as it was changed at that moment (None: now); if so it is noted as the last."""
    if db.exclusive:
        return True
    last = await store.find_declaration(tx, what)
    at = at or clock.now()
    if last is not None and last[0] != digest and at < last[1]:
        log.warning(
            "settings.older",
            what=what,
            newer=f"{last[1]:%Y-%m-%d %H:%M:%S} UTC",
            advice="Another hub has newer settings, which count. Give all hubs the same file.",
        )
        return False
    if last is None or last[0] != digest:
        await store.upsert_declaration(tx, what, digest, at)
    return True


def digest_of(settings: Settings, admins: Sequence[str]) -> str:
    """What tells one declaration of roles, groups, services and administrators from another."""
    parts = settings.model_dump(mode="json", include={"roles", "services", "groups", "base_url"})
    return _digest([parts, list(admins)])


def digest_of_profiles(profiles: Sequence[Profile]) -> str:
    """The same for profiles."""
    return _digest([profile.model_dump(mode="json") for profile in profiles])


def _digest(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
