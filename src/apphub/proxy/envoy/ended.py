"""Whose open streams must end, as a file that the edges of this machine read while data moves.

A route change reaches requests, but not a websocket that is open already. So the edge looks at
what passes through streams (see `watch.lua`) and asks this list once a second, at no cost
where nothing moves. The file outlives the hub, as the edge does; all hubs of the machine write
it, each the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from apphub.kit.files import write_private
from apphub.proxy.base import Visitor
from apphub.proxy.envoy.rundir import private_directory


def write_ended(path: Path, visitors: Iterable[Visitor]) -> None:
    """Name these, and nobody else."""
    private_directory(path.parent)
    write_private(path, "".join(f"{visitor.guard} {visitor.session}\n" for visitor in visitors).encode())
