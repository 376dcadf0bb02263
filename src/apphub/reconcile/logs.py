"""What servers write, wherever they run.

Of this machine the runtime has it. For another one a hub there is asked, as an edge asks: by that
machine's door, with mutual TLS. It proves itself with a word that only hubs can derive, so an
edge, which holds less, hears nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from apphub.errors import Forbidden
from apphub.kit import clock
from apphub.kit.secrets import Keys, same
from apphub.kit.trust import EDGE, HUB, RENEWED_AFTER, EdgeKey, client_context
from apphub.runtimes.base import Ref, Runtime
from apphub.servers.model import Server

if TYPE_CHECKING:
    import httpx

log = structlog.get_logger(__name__)

#: Below the base URL, with the server's id and the attempt after it.
PATH = "hub/edge/output"
#: The header of the word.
WORD = "x-hub-word"
#: The most that is read at once, in bytes.
MOST = 200_000
#: Seconds that a hub of another machine may take, and for which one that said nothing is not asked again.
PATIENCE, SILENCE = 2.0, 10.0


class Logs:
    """Reads them."""

    def __init__(
        self,
        runtime: Runtime,
        keys: Keys,
        place: str,
        doors: Callable[[], Mapping[str, str]],
        base_url: str,
    ) -> None:
        """`doors` are those of all machines, HOST:PORT by name; this machine is `place`."""
        self._runtime = runtime
        self._keys = keys
        self._place = place
        self._doors = doors
        self._base_url = base_url
        self._client: httpx.AsyncClient | None = None
        self._since = 0.0
        self._opening = asyncio.Lock()
        #: Until when a machine is left alone, in seconds of `monotonic`.
        self._silent: dict[str, float] = {}

    async def tail(self, server: Server, length: int, *, attempt: int | None = None) -> str:
        """The last bytes of what this attempt wrote, the current one where none is named.

        Empty when there is nothing, and when the machine that has it does not answer.
        """
        ref = Ref(server.id, server.attempt if attempt is None else attempt)
        place = server.place
        if ref.attempt < 1:
            return ""
        if place and place != self._place and (door := self._doors().get(place)) is not None:
            return await self._far(place, door, ref, length)
        return await self._runtime.logs(ref, tail=length)

    async def answer(self, ref: Ref, word: str, length: int) -> str:
        """The same, for a hub of another machine; raises `Forbidden` for anybody else."""
        if not same(word, self._word(ref)):
            raise Forbidden("Only hubs are told what servers write.")
        return await self._runtime.logs(ref, tail=max(1, min(length, MOST)))

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _far(self, place: str, door: str, ref: Ref, length: int) -> str:
        if time.monotonic() < self._silent.get(place, 0.0):
            return ""
        client = await self._opened()
        import httpx  # is there by now

        path = f"{self._base_url}{PATH}/{ref.server_id}/{ref.attempt}"
        try:
            found = await client.get(
                f"https://{door}{path}",
                params={"length": length},
                headers={WORD: self._word(ref)},
                # The certificate says what somebody is, not where.
                extensions={"sni_hostname": HUB},
            )
            return found.raise_for_status().text
        except (httpx.HTTPError, OSError) as error:
            log.info("log.away", place=place, error=str(error) or type(error).__name__)
            self._silent[place] = time.monotonic() + SILENCE
            return ""

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is not None and time.monotonic() - self._since > RENEWED_AFTER.total_seconds():
                await self.close()
            if self._client is None:
                self._client = await asyncio.to_thread(_new_client, self._keys)
                self._since = time.monotonic()
            return self._client

    def _word(self, ref: Ref) -> str:
        return self._keys.derive("log", ref.server_id, ref.attempt)


def _new_client(keys: Keys) -> httpx.AsyncClient:
    import httpx  # three megabytes that are of no use where all is on one machine

    key = EdgeKey.of(keys, passes="")
    papers = key.edges.issue(EDGE, clock.now())
    with tempfile.NamedTemporaryFile("w") as file:  # OpenSSL reads papers from files only
        file.write(papers.certificate + papers.key)
        file.flush()
        context = client_context(key.hubs, Path(file.name))
    return httpx.AsyncClient(verify=context, timeout=PATIENCE, trust_env=False)
