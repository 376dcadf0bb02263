"""Which port a server gets: one of the configured range that no other server of the place has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from apphub.db import Tx
from apphub.errors import Unavailable
from apphub.kit.addresses import Address
from apphub.reconcile import store


class NoPortLeft(Unavailable):
    """All ports of the range are taken."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The range, and the address that servers listen at."""

    first: int
    last: int
    ip: str = "127.0.0.1"

    async def choose(self, tx: Tx, place: str, *, beside: set[int] | None = None) -> Address:
        """A port at random, so that one just given up is not taken again at once.

        `beside` are ports that this transaction has given away already.
        """
        used = beside if beside is not None else await store.list_used_ports(tx, place)
        size = self.last - self.first + 1
        if len(used) >= size:
            raise NoPortLeft("All ports for servers are in use.", "Widen `processes.ports` in the settings.")
        start = secrets.randbelow(size)
        for step in range(size):
            port = self.first + (start + step) % size
            if port not in used:
                return Address(self.ip, port)
        raise NoPortLeft("All ports for servers are in use.", "Widen `processes.ports` in the settings.")
