"""Memory and processor limits of servers, by control groups where the hub may make some.

A control group counts a server with all its children, which nothing else does: resource
limits (setrlimit) hold for single processes and for addresses rather than memory, and break
programs that reserve much and use little, so they are not used. Where no group can be made,
the limit is only told to the server (MEM_LIMIT, CPU_LIMIT), and the object's notes say so.

* Version 1: a group is made below the hub's own group of each controller (needs root).
* Version 2: processes may live only in leaves, so groups are made beside the hub's own, in a
  parent that was delegated to it (systemd: `Delegate=yes` with `DelegateSubgroup=`, which is
  told from the attribute `user.delegate`), or below the root of the whole tree.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import contextlib
import os

#: Processor time is shared out anew so often (microseconds): the kernel's own default.
PERIOD = 100_000
#: The least share that the kernel takes (microseconds).
LEAST = 1_000


class Groups:
    """Where groups can be made, found once."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._memory, self._memory_file = _find("memory", "memory.limit_in_bytes", "memory.max")
        self._cpu, self._cpu_file = _find("cpu", "cpu.cfs_quota_us", "cpu.max")

    @property
    def kept(self) -> frozenset[str]:
        """The limits that hold here: `memory`, `cpu`."""
        return frozenset(
            name for name, base in (("memory", self._memory), ("cpu", self._cpu)) if base is not None
        )

    def for_memory(self, ref: str, limit: int) -> str | None:
        """A group that holds one object to so many bytes, or None where that is not possible."""
        return self._make(self._memory, ref, self._memory_file, str(limit))

    def for_cpu(self, ref: str, cpus: float) -> str | None:
        """A group that holds one object to so many processors, or None; in version 2 the same group."""
        quota = str(max(LEAST, round(cpus * PERIOD)))
        text = f"{quota} {PERIOD}" if self._cpu_file == "cpu.max" else quota
        return self._make(self._cpu, ref, self._cpu_file, text)

    def _make(self, base: str | None, ref: str, file: str, text: str) -> str | None:
        if base is None:
            return None
        path = f"{base}/apphub-{self._prefix}-{ref}"
        new = not os.path.isdir(path)  # noqa: PTH112
        try:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
            _write(f"{path}/{file}", text)
        except OSError:
            if new:
                remove(path)
            return None
        return path


def enter(path: str) -> None:
    """Move the calling process into the group; everything it starts is born there."""
    _write(f"{path}/cgroup.procs", str(os.getpid()))


def remove(path: str) -> None:
    """Remove a group that is empty; leave it when something still lives there."""
    with contextlib.suppress(OSError):
        os.rmdir(path)  # noqa: PTH106


def ran_out(path: str) -> bool:
    """Whether the kernel has killed something in the group for want of memory."""
    for name in ("memory.events", "memory.oom_control"):
        try:
            with open(f"{path}/{name}", encoding="ascii") as file:  # noqa: PTH123
                lines = dict(line.split(maxsplit=1) for line in file)
        except (OSError, ValueError):
            continue
        return int(lines.get("oom_kill", "0")) > 0
    return False


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)


def _find(controller: str, first: str, second: str) -> tuple[str | None, str]:
    """Where groups of a controller are made, and the file of the limit: `first` in version 1, else `second`."""
    own = _own_groups()
    for kind, root, mount, options in _mounts():
        if kind == "cgroup" and controller in options and controller in own:
            path = _below(own[controller], root)
            if path is not None and os.access(mount + path, os.W_OK):
                return mount + path, first
        if kind == "cgroup2" and "" in own and controller not in own:
            base = _version2(mount, own[""], controller)
            if base is not None:
                return base, second
    return None, ""


def _version2(mount: str, own: str, controller: str) -> str | None:
    base = mount if own == "/" else mount + own.rpartition("/")[0]
    if own != "/" and not _delegated(base):
        return None
    try:
        with open(f"{base}/cgroup.controllers", encoding="ascii") as file:  # noqa: PTH123
            if controller not in file.read().split():
                return None
        _write(f"{base}/cgroup.subtree_control", f"+{controller}")
    except OSError:
        return None
    return base


def _delegated(path: str) -> bool:
    for name in ("user.delegate", "trusted.delegate"):
        try:
            return os.getxattr(path, name) == b"1"
        except OSError:
            continue
    return False


def _own_groups() -> dict[str, str]:
    """Controller to path of this process; version 2 is the controller without a name (cgroups(7))."""
    groups: dict[str, str] = {}
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                groups |= dict.fromkeys(controllers.split(","), path)
    except OSError:
        pass
    return groups


def _mounts() -> list[tuple[str, str, str, list[str]]]:
    """Kind, root, mount point and options of every mounted tree of control groups (proc(5))."""
    mounts = []
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                before, _, after = line.partition(" - ")
                kind, _, options = after.split()[:3]
                if kind.startswith("cgroup"):
                    mounts.append((kind, before.split()[3], before.split()[4], options.split(",")))
    except OSError:
        pass
    return mounts


def _below(path: str, root: str) -> str | None:
    """`path` as seen in a mount that shows the tree from `root` on."""
    if root == "/":
        return path.rstrip("/")
    return path[len(root) :] if path == root or path.startswith(f"{root}/") else None
