"""Memory limits of servers, by control groups where the hub may make some.

A control group counts a server with all its children, which nothing else does: resource
limits (setrlimit) hold for single processes and for addresses rather than memory, and break
programs that reserve much and use little, so they are not used. Where no group can be made,
the limit is only told to the server (MEM_LIMIT), and the object's notes say so.

* Version 1: a group is made below the hub's own group of the memory controller (needs root).
* Version 2: processes may live only in leaves, so groups are made beside the hub's own, in a
  parent that was delegated to it (systemd: `Delegate=yes` with `DelegateSubgroup=`, which is
  told from the attribute `user.delegate`), or below the root of the whole tree.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import contextlib
import os


class Memory:
    """Where memory groups can be made, found once."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._base, self._limit_file = _find()

    def make(self, ref: str, limit: int) -> str | None:
        """A group for one object, or None where that is not possible."""
        if self._base is None:
            return None
        path = f"{self._base}/apphub-{self._prefix}-{ref}"
        try:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103
            _write(f"{path}/{self._limit_file}", str(limit))
        except OSError:
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


def _find() -> tuple[str | None, str]:
    own = _own_groups()
    for kind, root, mount, options in _mounts():
        if kind == "cgroup" and "memory" in options and "memory" in own:
            path = _below(own["memory"], root)
            if path is not None and os.access(mount + path, os.W_OK):
                return mount + path, "memory.limit_in_bytes"
        if kind == "cgroup2" and "" in own and "memory" not in own:
            base = _version2(mount, own[""])
            if base is not None:
                return base, "memory.max"
    return None, ""


def _version2(mount: str, own: str) -> str | None:
    base = mount if own == "/" else mount + own.rpartition("/")[0]
    if own != "/" and not _delegated(base):
        return None
    try:
        with open(f"{base}/cgroup.controllers", encoding="ascii") as file:  # noqa: PTH123
            if "memory" not in file.read().split():
                return None
        _write(f"{base}/cgroup.subtree_control", "+memory")
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
