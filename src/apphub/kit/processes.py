"""Which process is which, for good: a process id alone means little.

It is given out again, and starts anew at every boot; with the boot and the process's start
time it names one process (proc(5)).
"""

from __future__ import annotations

import os
from pathlib import Path


def boot_id() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When the process started, in ticks since the boot; None when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name, which may hold anything; the third is the state.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def this_process() -> str:
    """This one, in words that `lives` understands on the same machine."""
    return f"{boot_id()}:{os.getpid()}:{start_time(os.getpid())}"


def lives(process: str) -> bool:
    """Whether a process of this machine still runs."""
    boot, pid, start = process.split(":")
    return boot == boot_id() and str(start_time(int(pid))) == start
