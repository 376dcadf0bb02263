"""Who belongs to a server now, and signals to them.

Members are the processes that carry the server's marker and those of its session, so both a
child that left the session and one that wiped its environment are found. One look at `/proc`
serves any number of servers: that is what costs (about 10 µs for each process of the machine).

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from apphub.runtimes.process import procfs
from apphub.runtimes.process.procfs import Process


class Leader(NamedTuple):
    """The main process of a server: its pid is also the number of its session and group."""

    pid: int
    start: int


def ask_to_end(leader: Leader) -> bool:
    """SIGTERM to the main process and its group; False when the main process has ended."""
    if not procfs.alive(*leader):
        return False
    try:
        os.killpg(leader.pid, signal.SIGTERM)
    except ProcessLookupError:
        # It has only just been forked, and has no group yet.
        _send_one(leader, signal.SIGTERM)
    except PermissionError:
        pass  # all of the group have changed to another account; counted as left by the caller
    return True


def members(hub_id: str, wanted: Mapping[str, Leader | None]) -> dict[str, list[Process]]:
    """The living processes of each of these objects, in one look."""
    markers = {procfs.marker(hub_id, *ref.split("-")): ref for ref in wanted}
    sessions: dict[int | None, str] = {
        leader.pid: ref for ref, leader in wanted.items() if leader and _still(leader)
    }
    # Between its fork and its program a main process has neither marker nor session.
    mains = {leader.pid: (leader.start, ref) for ref, leader in wanted.items() if leader}
    found: dict[str, list[Process]] = {ref: [] for ref in wanted}
    for pid in procfs.pids():
        marker = procfs.marker_of(pid)
        ref = markers.get(marker) if marker is not None else sessions.get(procfs.session_of(pid))
        if ref is None and pid not in mains:
            continue
        process = procfs.read(pid)
        if process is None:
            continue
        if ref is None and process.start == mains[pid][0]:
            ref = mains[pid][1]
        if ref is not None:
            found[ref].append(process)
    return found


def marked(hub_id: str) -> dict[str, list[Process]]:
    """Every living process that carries a marker of this hub, by object."""
    found: dict[str, list[Process]] = {}
    prefix = f"{hub_id}:"
    for process in procfs.scan():
        marker = procfs.marker_of(process.pid)
        if marker is not None and marker.startswith(prefix):
            server_id, _, attempt = marker[len(prefix) :].partition(":")
            if server_id.isdecimal() and attempt.isdecimal():
                found.setdefault(f"{server_id}-{attempt}", []).append(process)
    return found


def send(processes: Iterable[Process], number: int, *, spare: Leader | None = None) -> int:
    """Send a signal to each of them (0: none), except to those in the group of `spare`; how many there were."""
    count = 0
    for process in processes:
        count += 1
        if number and not (spare is not None and process.group == spare.pid):
            _send_one(process, number)
    return count


def main_of(processes: list[Process]) -> Process:
    """Which of an object's processes is its main one: the oldest that leads a session."""
    return min(processes, key=lambda process: (process.pid != process.session, process.start, process.pid))


def _still(leader: Leader) -> bool:
    """Whether the number still means this session: nobody else has got the pid since."""
    process = procfs.read(leader.pid)
    return process is None or process.start == leader.start


def _send_one(process: Process | Leader, number: int) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        # Looked at again with the handle held: from here on the pid cannot pass to another process.
        if procfs.alive(process.pid, process.start):
            signal.pidfd_send_signal(handle, number)
    except OSError:
        pass
    finally:
        os.close(handle)
