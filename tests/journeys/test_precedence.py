"""What serves everybody goes before anybody's programs where a processor is busy."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import apps
import guarding

from apphub.kit.precedence import NICE
from hubs import TRIAL, RunningHub


def _threads(pid: int) -> set[int]:
    """The niceness of all threads of a process."""
    return {
        os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()
    }


def _session(pid: int) -> int:
    """The niceness of a process's session; 0 where the kernel has none."""
    group = Path(f"/proc/{pid}/autogroup")
    found = re.search(r"nice (-?\d+)", group.read_text()) if group.exists() else None
    return int(found[1]) if found else 0


def _allowed() -> bool:
    """Whether we, and so the hub, may give precedence."""
    return not subprocess.run(
        ["nice", "-n", str(NICE), "sh", "-c", f"test $(nice) = {NICE}"], check=False
    ).returncode


def test_hub_and_edge_have_precedence_and_no_server_inherits_it() -> None:
    first = NICE if _allowed() else 0
    grouped = first if Path("/proc/self/autogroup").exists() else 0
    with RunningHub({**TRIAL, "profiles": [apps.STEERED]}) as hub:
        guarding.start(hub, "ada", profile="steered", children=2)
        edge = hub.edge_pid
        assert edge is not None
        assert _threads(edge) == {first}
        assert _session(edge) == grouped
        # What the hub starts inherits from its process, not from its session.
        assert _threads(hub.pid) == {0}
        assert _session(hub.pid) == grouped
        servers = hub.server_pids()
        assert len(servers) == 3
        for pid in servers:
            assert _threads(pid) == {0}
            assert _session(pid) == 0
