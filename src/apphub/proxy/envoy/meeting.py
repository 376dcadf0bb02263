"""Where the hubs and the edges of one machine meet: unix sockets in a folder, found by looking.

Every hub has a number, and two sockets by that number. An edge sends requests to all hubs
that listen, and holds one control stream to one of them. Which ones listen stands in two
files that Envoy follows (EDS); whoever watches the edge keeps them (`Finder`).

A hub that is killed leaves its sockets behind: nobody takes connections there, which an edge
finds out by itself at the next request, and the look a moment later. One that is told to end
takes its sockets away first, and goes on serving until every edge has seen that.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from apphub.kit.files import write_private
from apphub.proxy.envoy.resources import HUB_CLUSTER
from apphub.proxy.envoy.rundir import private_directory
from apphub.proxy.envoy.typed import typed

XDS_CLUSTER = "xds"

#: Seconds between two looks whether a socket has come or gone, and whether all of them are listened at.
LOOK, LOOK_CLOSELY = 0.1, 1.0
#: Seconds after which every edge has seen that a socket is gone, on a busy machine too.
NOTICED = 1.0


class Meeting(Struct, frozen=True):
    """The folder, which only the hub's account can enter."""

    folder: Path

    def hub(self, number: int) -> Path:
        """The HTTP of a hub, for the edges."""
        return self.folder / f"hub-{number}.sock"

    def control(self, number: int) -> Path:
        """Its streams of routes."""
        return self.folder / f"xds-{number}.sock"

    @property
    def ended(self) -> Path:
        """Names visitors whose open streams must end (see `ended`)."""
        return self.folder / "ended"

    def numbers(self) -> list[int]:
        """Of the hubs whose sockets are there, listened at or not."""
        found = self.folder.iterdir() if self.folder.exists() else ()
        names = (re.fullmatch(r"hub-([1-9]\d*)\.sock", path.name) for path in found)
        return sorted(int(name[1]) for name in names if name)

    def listening(self) -> list[int]:
        """Of the hubs that take connections."""
        return [number for number in self.numbers() if _listens(self.hub(number))]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        # A queue that is full is somebody's too.
        return probe.connect_ex(str(path)) in (0, errno.EAGAIN)


def endpoints(cluster: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a file says of where a cluster is."""
    assignment = typed(
        "envoy.config.endpoint.v3.ClusterLoadAssignment",
        cluster_name=cluster,
        endpoints=[{"lb_endpoints": list(found)}],
    )
    return {"resources": [assignment]}


def endpoints_file(run_dir: Path, cluster: str) -> Path:
    """Where an edge reads it: a folder of its own, for Envoy looks at every rename there."""
    return run_dir / f"at-{cluster}" / "endpoints.json"


def write_endpoints(run_dir: Path, cluster: str, found: Sequence[dict[str, Any]]) -> None:
    """Have an edge, or a door, know where a cluster is."""
    file = endpoints_file(run_dir, cluster)
    private_directory(file.parent)
    write_private(file, json.dumps(endpoints(cluster, found)).encode())


class Finder:
    """Keeps the files of one edge. Where no hub is left they stay as they are: one will be back.

    Those of a door say that there is none (`waits` is false): edges go to another machine then.
    """

    def __init__(self, meeting: Meeting, run_dir: Path, *, waits: bool = True) -> None:
        self._waits = waits
        self._meeting = meeting
        self._run_dir = run_dir
        self._written: list[int] = []
        self._changed = 0
        self._looked = 0.0

    def prepare(self) -> None:
        """Write the files before Envoy reads them; without a hub they name the first that will come."""
        private_directory(self._meeting.folder)
        self._write(self._meeting.listening() or ([1] if self._waits else []))

    def refresh(self) -> None:
        """Write them again if another hub listens by now, or one no longer does."""
        changed, now = self._meeting.folder.stat().st_mtime_ns, time.monotonic()
        if changed == self._changed and now - self._looked < LOOK_CLOSELY:
            return
        self._changed, self._looked = changed, now
        found = self._meeting.listening()
        if (found or not self._waits) and found != self._written:
            self._write(found)

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, numbers: list[int]) -> None:
        for cluster, sockets in (
            (HUB_CLUSTER, [self._meeting.hub(number) for number in numbers]),
            (XDS_CLUSTER, [self._meeting.control(number) for number in numbers]),
        ):
            found = [{"endpoint": {"address": {"pipe": {"path": str(path)}}}} for path in sockets]
            write_endpoints(self._run_dir, cluster, found)
        self._written = numbers
