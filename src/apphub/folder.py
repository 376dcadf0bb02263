"""The data folder: made, checked, shared by few or held by one; and where hubs and edges meet.

Every hub and every edge of a folder holds a number. The locks are the kernel's (flock): they end
with the process that holds them, however that ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from apphub.errors import HubError, Unavailable
from apphub.kit.files import locked
from apphub.proxy.envoy.meeting import Meeting

#: Hubs, or edges, that share a data folder.
MOST = 64


class FolderInUse(HubError):
    """Another hub runs on the data folder."""


def open_folder(path: Path) -> Path:
    """The folder, absolute, made if it is missing. Raises `Unavailable` in words when it cannot be written."""
    folder = path.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(
            dir=folder
        ):  # of a name that no other hub has, which may start now as well
            pass
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder} cannot be used: {error.strerror}.",
            "Choose another one with --data-dir, or change its owner or mode.",
        ) from error
    return folder


@contextmanager
def hold(folder: Path, name: str, *, alone: bool = False, mark: str = "") -> Generator[int]:
    """The least number that no other `name` of the folder holds, or one that was held with the same mark.

    `alone`: there is but one, and a second says who holds it. Survives nothing but this process.
    """
    for number in [1] if alone else _in_order(folder, name, mark):
        fd = os.open(_lock_file(folder, name, number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not locked(fd):
                continue
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()} {mark}\n".encode(), 0)
            yield number
            return
        finally:
            os.close(fd)
    holder = _said(folder, name, 1)[0] or "unknown"
    raise FolderInUse(
        f"Another apphub (process {holder}) uses the data folder {folder}.",
        "Stop it first, or choose another folder with --data-dir; several hubs need PostgreSQL (`database`).",
    )


def others(folder: Path, name: str, number: int) -> bool:
    """Whether anybody but `number` holds a number."""
    for other in range(1, MOST + 1):
        file = _lock_file(folder, name, other)
        if other == number or not file.exists():
            continue
        fd = os.open(file, os.O_RDWR)
        try:
            if not locked(fd):
                return True
        finally:
            os.close(fd)
    return False


def _in_order(folder: Path, name: str, mark: str) -> list[int]:
    """Those with the same mark first: what the last holder has left behind is found again."""
    return sorted(range(1, MOST + 1), key=lambda number: (_said(folder, name, number)[1] != mark, number))


def _lock_file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}-{number}.lock"


def _said(folder: Path, name: str, number: int) -> tuple[str, str]:
    """The process and the mark of the last holder."""
    try:
        process, _, mark = _lock_file(folder, name, number).read_text().strip().partition(" ")
    except OSError:
        return "", "?"
    return process, mark


def meeting_of(data_dir: Path) -> Meeting:
    """A folder for sockets, whose paths may have 107 bytes only (unix(7)): elsewhere for a long data folder."""
    folder = data_dir / "run"
    if len(os.fsencode(folder)) > 80:
        mark = sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"apphub-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise Unavailable(f"The folder {folder} belongs to somebody else.", "Choose a shorter data folder.")
    folder.chmod(0o700)
    return Meeting(folder)
