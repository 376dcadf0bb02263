"""How an edge of another machine finds the hubs: it asks one of them, twice a second, by mutual TLS.

The first it asks are named in its settings. Each names all machines, which of them have a hub
that answers, and whose open streams must end; that goes to files that Envoy follows. What was
heard last is kept, and counts when nobody answers: one will be back.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from apphub.kit.addresses import Address
from apphub.kit.files import write_private
from apphub.kit.trust import HUB, client_context
from apphub.proxy.base import Visitor
from apphub.proxy.envoy.ended import write_ended
from apphub.proxy.envoy.meeting import XDS_CLUSTER, write_endpoints
from apphub.proxy.envoy.mutual import identity_file
from apphub.proxy.envoy.resources import DOORS_CLUSTER, HUB_CLUSTER, HUBS_PATH
from apphub.proxy.envoy.rundir import private_directory

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger(__name__)

#: Seconds between two questions, and how long one may take.
EVERY, PATIENCE = 0.5, 2.0


class Hubs(msgspec.Struct, frozen=True):
    """What a hub says of all."""

    #: The address of each machine's door, by the machine's name.
    places: dict[str, str] = {}
    #: The machines that have a hub just now.
    live: list[str] = []
    #: Whose open streams must end: the app's guard and the sign-in.
    ended: list[tuple[str, str]] = []


class Scout:
    """Keeps the files of one edge."""

    def __init__(self, run_dir: Path, seeds: Sequence[str], trusted: str, base_url: str) -> None:
        self._run_dir = run_dir
        self._seeds = seeds
        self._trusted = trusted
        self._path = f"{base_url}hub/{HUBS_PATH}"
        self._known_file = run_dir / "hubs.json"
        self._hubs: Hubs | None = None
        self._client: httpx.Client | None = None
        #: A question outlives the task that waited for its thread.
        self._turn = threading.Lock()
        #: What Envoy was told last, by cluster.
        self._written: dict[str, list[dict[str, Any]]] = {}
        self._asked = 0.0
        self._silent = False

    @property
    def ended_file(self) -> Path:
        """Where Envoy reads whose streams must end."""
        return self._run_dir / "ended"

    def prepare(self) -> None:
        """Write the files before Envoy reads them: what a hub says now, else what was heard last, else the settings."""
        with self._turn:
            self._ask()
            self._forget_client()
            if self._hubs is None:
                self._hear_what_is_known()

    def _hear_what_is_known(self) -> None:
        private_directory(self._run_dir)
        with suppress(OSError, msgspec.MsgspecError):
            self._hear(msgspec.json.decode(self._known_file.read_bytes(), type=Hubs))
            return
        seeds = {str(number): address for number, address in enumerate(self._seeds)}
        self._hear(Hubs(seeds, list(seeds)))
        self._hubs = None  # it was nobody's word

    def refresh(self) -> None:
        """Ask again, if it is time."""
        with self._turn:
            if time.monotonic() - self._asked >= EVERY:
                self._ask()

    def close(self) -> None:
        """Hang up."""
        with self._turn:
            self._forget_client()

    def _ask(self) -> None:
        import httpx  # three megabytes that are of no use where all is on one machine

        for address in self._candidates():
            try:
                answer = self._get(address)
                found = msgspec.json.decode(answer.raise_for_status().content, type=Hubs)
            except (httpx.HTTPError, msgspec.MsgspecError, OSError) as error:
                self._forget_client()
                log.debug("hub.silent", address=address, error=str(error))
                continue
            # One that has just begun may not have looked round.
            if found.places and found.live:
                known, now = self._hubs or Hubs(), (found.places, found.live)
                self._hear(found)
                if (known.places, known.live) != now:
                    write_private(self._known_file, msgspec.json.encode(found))
            self._asked, self._silent = time.monotonic(), False
            return
        self._asked = time.monotonic()
        if not self._silent:
            log.warning("hubs.silent", asked=list(self._candidates()))
        self._silent = True

    def _candidates(self) -> Iterable[str]:
        """Those with a hub first."""
        known = self._hubs or Hubs()
        live = [known.places[place] for place in known.live if place in known.places]
        return dict.fromkeys([*live, *known.places.values(), *self._seeds])

    def _get(self, address: str) -> httpx.Response:
        import httpx

        if self._client is None:
            context = client_context(self._trusted, identity_file(self._run_dir))
            self._client = httpx.Client(verify=context, timeout=PATIENCE, trust_env=False)
        # The certificate says what somebody is, not where.
        return self._client.get(f"https://{address}{self._path}", extensions={"sni_hostname": HUB})

    def _forget_client(self) -> None:
        """The next one reads the papers again: they may have been renewed."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _hear(self, found: Hubs) -> None:
        before, self._hubs = self._hubs, found
        if before is None or before.ended != found.ended:
            write_ended(self.ended_file, (Visitor(*one) for one in found.ended))
        # Names are looked up every time: what they lead to may change.
        doors = {place: _resolved(address) for place, address in sorted(found.places.items())}
        live = [_endpoint(one) for place in found.live for one in doors.get(place, ())]
        all_doors = [_endpoint(one, place) for place, there in doors.items() for one in there]
        for cluster, endpoints in ((HUB_CLUSTER, live), (XDS_CLUSTER, live), (DOORS_CLUSTER, all_doors)):
            # Envoy needs a file. Where nothing is found any more, what was found last stays.
            if cluster not in self._written or endpoints not in ([], self._written[cluster]):
                write_endpoints(self._run_dir, cluster, endpoints)
                self._written[cluster] = endpoints


def _endpoint(address: Address, place: str = "") -> dict[str, Any]:
    there = {"socket_address": {"address": address.ip, "port_value": address.port}}
    found: dict[str, Any] = {"endpoint": {"address": there}}
    if place:
        found["metadata"] = {"filter_metadata": {"envoy.lb": {"place": place}}}
    return found


def _resolved(text: str) -> list[Address]:
    """The addresses of a host, if it has any just now."""
    try:
        return resolved(text)
    except (OSError, ValueError) as error:
        log.debug("hub.unresolved", address=text, error=str(error))
        return []


def resolved(text: str) -> list[Address]:
    """The addresses of HOST:PORT. Raises OSError where the name is unknown, ValueError where it is none."""
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{text!r} is not HOST:PORT")
    infos = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return sorted({Address(str(info[4][0]), int(port)) for info in infos})
