"""How an edge of another machine finds the hubs: it asks one of them, twice a second, by mutual TLS.

The first it asks are named in its settings. Each names all machines, which of them have a hub
that answers, and whose open streams must end; that goes to files that Envoy follows. What was
heard last is kept, and counts when nobody answers: one will be back.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import structlog

from apphub.kit.addresses import Address
from apphub.kit.trust import HUB
from apphub.proxy.base import Visitor
from apphub.proxy.envoy.ended import write_ended
from apphub.proxy.envoy.meeting import XDS_CLUSTER, write_endpoints
from apphub.proxy.envoy.mutual import identity_file
from apphub.proxy.envoy.resources import DOORS_CLUSTER, HUB_CLUSTER, HUBS_PATH
from apphub.proxy.envoy.rundir import private_directory, write_private

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
        self._turn = threading.Lock()
        self._asked = 0.0
        self._silent = False

    @property
    def ended_file(self) -> Path:
        """Where Envoy reads whose streams must end."""
        return self._run_dir / "ended"

    def prepare(self) -> None:
        """Write the files before Envoy reads them: what a hub says now, else what was heard last, else the settings."""
        self._ask()
        self.close()
        if self._hubs is not None:
            return
        with suppress(OSError, msgspec.MsgspecError):
            known = msgspec.json.decode(self._known_file.read_bytes(), type=Hubs)
            self._write(known)
            return
        private_directory(self._run_dir)
        seeds = {str(number): address for number, address in enumerate(_resolved(self._seeds))}
        self._endpoints(seeds, list(seeds))
        write_ended(self.ended_file, ())

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
                self._write(found)
            self._asked, self._silent = time.monotonic(), False
            return
        self._asked = time.monotonic()
        if not self._silent:
            log.warning("hubs.silent", asked=list(self._candidates()))
        self._silent = True

    def _candidates(self) -> Iterable[str]:
        known = self._hubs or Hubs()
        live = [known.places[place] for place in known.live if place in known.places]
        return dict.fromkeys([*live, *known.places.values(), *_resolved(self._seeds)])

    def _get(self, address: str) -> httpx.Response:
        if self._client is None:
            context = ssl.create_default_context(cadata=self._trusted)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(identity_file(self._run_dir))
            self._client = httpx.Client(verify=context, timeout=PATIENCE, trust_env=False)
        # The certificate says what somebody is, not where.
        return self._client.get(f"https://{address}{self._path}", extensions={"sni_hostname": HUB})

    def _forget_client(self) -> None:
        """The next one reads the papers again: they may have been renewed."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _write(self, found: Hubs) -> None:
        before, self._hubs = self._hubs, found
        if before is None or before.ended != found.ended:
            write_ended(self.ended_file, (Visitor(*one) for one in found.ended))
        if before is None or (before.places, before.live) != (found.places, found.live):
            self._endpoints(found.places, found.live)
            write_private(self._known_file, msgspec.json.encode(found))

    def _endpoints(self, places: Mapping[str, str], live: Sequence[str]) -> None:
        hubs = [_endpoint(places[place]) for place in sorted(live) if place in places]
        doors = [_endpoint(address, place) for place, address in sorted(places.items())]
        write_endpoints(self._run_dir, HUB_CLUSTER, hubs)
        write_endpoints(self._run_dir, XDS_CLUSTER, hubs)
        write_endpoints(self._run_dir, DOORS_CLUSTER, doors)


def _endpoint(address: str, place: str = "") -> dict[str, Any]:
    ip, port = Address.parse(address)
    found: dict[str, Any] = {
        "endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}},
    }
    if place:
        found["metadata"] = {"filter_metadata": {"envoy.lb": {"place": place}}}
    return found


def _resolved(seeds: Iterable[str]) -> list[str]:
    """The addresses of hosts by name, as far as they have one just now."""
    found = []
    for seed in seeds:
        with suppress(OSError, ValueError):
            found += [str(address) for address in resolved(seed)]
    return list(dict.fromkeys(found))


def resolved(text: str) -> list[Address]:
    """The addresses of HOST:PORT. Raises OSError where the name is unknown, ValueError where it is none."""
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{text!r} is not HOST:PORT")
    infos = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return list(dict.fromkeys(Address(str(info[4][0]), int(port)) for info in infos))
