"""Precedence: what serves everybody goes before anybody's programs where a processor is busy."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: Three times the share of what has none (nice(2)).
NICE = -5


def session_first(pid: int) -> None:
    """Give it to the session of a process, where we may (CAP_SYS_NICE).

    Where the kernel groups processes by session (autogroup in sched(7)), only the niceness of the group
    counts between sessions. What the process starts in sessions of its own, as all servers are, has none.
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICE))


def process_first(pid: int) -> None:
    """Give it to a process that starts no others, which would inherit it, and to its session."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
    session_first(pid)
