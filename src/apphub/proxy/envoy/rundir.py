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
