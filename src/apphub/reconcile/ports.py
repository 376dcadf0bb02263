"""Which ports servers get: those of the configured range that no other server of the place has."""

from __future__ import annotations

from random import SystemRandom

from msgspec import Struct

from apphub.db import Tx
from apphub.errors import Unavailable
from apphub.kit.addresses import Address
from apphub.reconcile import store

#: So many ports are tried for each that is wanted, before all that are in use are looked through.
TRIES = 16
_CHANCE = SystemRandom()


class NoPortLeft(Unavailable):
    """All ports of the range are taken."""


class Ports(Struct, frozen=True):
    """The range, and the address that servers listen at."""

    first: int
    last: int
    ip: str = "127.0.0.1"

    async def choose(self, tx: Tx, place: str, count: int = 1) -> list[Address]:
        """So many, or as many as there are left; raises `NoPortLeft`.

        At random, so that one just given up is not taken again at once.
        """
        everything = range(self.first, self.last + 1)
        tried = _CHANCE.sample(everything, min(len(everything), TRIES * count))
        free = await self._free(tx, place, tried)
        if len(free) < count and len(tried) < len(everything):
            free = await self._free(tx, place, _CHANCE.sample(everything, len(everything)))
        if not free:
            raise NoPortLeft("All ports for servers are in use.", "Widen `processes.ports` in the settings.")
        return [Address(self.ip, port) for port in free[:count]]

    async def _free(self, tx: Tx, place: str, ports: list[int]) -> list[int]:
        used = await store.list_used_ports(tx, place, ports)
        return [port for port in ports if port not in used]
