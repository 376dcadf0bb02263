"""The folder of one Envoy's own files and sockets: nobody but the hub's account may look in."""

from __future__ import annotations

import os
from pathlib import Path

from apphub.errors import Invalid

#: What fits into `sockaddr_un` on Linux, without the final zero (unix(7)).
LONGEST_SOCKET = 107


def private_directory(path: Path) -> None:
    """Make the folder, or close it to everybody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def check_socket_path(path: Path) -> None:
    """Raise `Invalid` for a path that no unix socket can have."""
    size = len(os.fsencode(path))
    if size > LONGEST_SOCKET:
        raise Invalid(
            f"The path of the socket {path} has {size} bytes; {LONGEST_SOCKET} is the most the system allows.",
            "Choose a data folder with a shorter path.",
        )


def write_private(path: Path, content: bytes) -> None:
    """Put a file (mode 0600) in place at once: readers see the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    draft.rename(path)
