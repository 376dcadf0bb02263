"""Which process is ours: a record on disk that survives the hub, checked against the system.

The record is written just after the start; a hub that dies in between leaves none, and then
whoever listens on the admin socket is asked for (unix(7), SO_PEERCRED).
"""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from apphub.kit.files import write_private
from apphub.kit.processes import boot_id, start_time


class Identity(Struct, frozen=True):
    """One process, and the fingerprint of what it was started with."""

    pid: int
    start: int
    boot: str
    fingerprint: str

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot_id() and self.start == start_time(self.pid)

    def save(self, path: Path) -> None:
        """Keep it for the next hub."""
        write_private(path, json.dumps(asdict(self)).encode())


def identify(pid: int, fingerprint: str) -> Identity | None:
    """The identity of a process that runs now."""
    start = start_time(pid)
    return None if start is None else Identity(pid, start, boot_id(), fingerprint)


def load(path: Path) -> Identity | None:
    """The recorded process, if there is a record that can be read and the process lives."""
    try:
        raw = json.loads(path.read_bytes())
        found = Identity(int(raw["pid"]), int(raw["start"]), str(raw["boot"]), str(raw["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.alive() else None


def listener_of(path: Path) -> int | None:
    """The process that listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return None
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[0]) or None


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
