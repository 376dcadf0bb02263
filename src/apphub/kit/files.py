"""Files that several processes make together, or that one at a time may hold."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path


def settle(path: Path, text: str) -> str:
    """Write a file for this account alone unless it is there; what it says, whoever was first.

    Nobody sees half of it, and it is on the disk.
    """
    if not path.exists():
        draft = _draft(path, text.encode(), lasting=True)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip()


def write_private(path: Path, content: bytes) -> None:
    """Put a file for this account alone in place at once: readers see the old one or the new one."""
    _draft(path, content).rename(path)


def _draft(path: Path, content: bytes, *, lasting: bool = False) -> Path:
    """What is to stand there, beside it; `lasting`: on the disk."""
    # By chance: two processes whose containers share the folder may have the same number.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk is not made fuller by each try
        raise
    return draft


def locked(fd: int) -> bool:
    """Hold an open file's lock (flock(2)), which ends with the process; False when somebody else does."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
