"""The data folder: made, checked, held by one hub at a time; and where the hub's parts meet.

The lock is the kernel's (flock): it ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from apphub.errors import HubError, Unavailable


class FolderInUse(HubError):
    """Another hub runs on the data folder."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where the parts meet; a folder that only the hub's account can enter."""

    folder: Path

    @property
    def hub(self) -> Path:
        """The hub's HTTP, for the edge."""
        return self.folder / "hub.sock"

    @property
    def control(self) -> Path:
        """The stream of routes."""
        return self.folder / "xds.sock"

    @property
    def admin(self) -> Path:
        """Envoy's own interface."""
        return self.folder / "envoy" / "admin.sock"


def open_folder(path: Path) -> Path:
    """The folder, absolute, made if it is missing. Raises `Unavailable` in words when it cannot be written."""
    folder = path.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder} cannot be used: {error.strerror}.",
            "Choose another one with --data-dir, or change its owner or mode.",
        ) from error
    return folder


@contextmanager
def lock(folder: Path, name: str) -> Generator[None]:
    """One hub per data folder; a second one says who holds it. Survives nothing but this process."""
    fd = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(fd, 20, 0).decode(errors="replace").strip() or "unknown"
            raise FolderInUse(
                f"Another apphub (process {holder}) uses the data folder {folder}.",
                "Stop it first, or choose another folder with --data-dir.",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def sockets_of(data_dir: Path) -> Sockets:
    """A folder for sockets, whose paths may have 107 bytes only (unix(7)): elsewhere for a long data folder."""
    folder = data_dir / "run"
    if len(os.fsencode(folder)) > 80:
        mark = sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"apphub-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise Unavailable(f"The folder {folder} belongs to somebody else.", "Choose a shorter data folder.")
    folder.chmod(0o700)
    return Sockets(folder)
