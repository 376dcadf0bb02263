"""Hosts of apps that have a domain of their own: `lab-ada-17.apps.example.org`.

The first label of such a host says, for people, which server it is; the number at its end is
the server's id, and alone says so for us. Ids never come back, so no browser ever finds
another server at an origin that it knows.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from msgspec import Struct

from apphub.kit.cookies import HOST_ONLY

#: Longest label of a host name (RFC 1035, section 2.3.4).
LONGEST_LABEL = 63

_ENDS_IN_ID = re.compile(r"(?:[a-z0-9]+-)+([1-9][0-9]{0,17})")


def label(user: str, server: str, server_id: int) -> str:
    """`lab-ada-17`; at most 63 of `a-z 0-9 -`, never two `-` in a row, so never what an encoded name (IDNA) is."""
    text = unicodedata.normalize("NFKD", f"{server}-{user}").casefold()
    slug = re.sub(r"[^a-z0-9]+", "-", text.encode("ascii", "ignore").decode())
    slug = slug.strip("-")[: LONGEST_LABEL - 1 - len(str(server_id))].strip("-")
    return f"{slug or 'app'}-{server_id}"


def id_of_label(text: str) -> int | None:
    """The id of the server that a label names."""
    match = _ENDS_IN_ID.fullmatch(text) if len(text) <= LONGEST_LABEL else None
    return int(match[1]) if match else None


class AppHosts(Struct, frozen=True):
    """The domain below which apps have hosts, reached as the hub is: same scheme, same port."""

    #: `apps.example.org`
    domain: str
    #: `http` or `https`
    scheme: str
    #: `:8443`, or nothing.
    port: str

    @classmethod
    def beside(cls, domain: str, public_origin: str) -> AppHosts:
        """Those of a hub that people reach at https://hub.example:8443."""
        parts = urlsplit(public_origin)
        standard = {"http": 80, "https": 443}[parts.scheme]
        port = f":{parts.port}" if parts.port not in (None, standard) else ""
        return cls(domain, parts.scheme, port)

    @property
    def secure(self) -> bool:
        """Whether they are reached by https."""
        return self.scheme == "https"

    @property
    def cookie_prefix(self) -> str:
        """What names of cookies of ours begin with there: browsers take it from nobody else, but need https."""
        return HOST_ONLY if self.secure else ""

    @property
    def all_origins(self) -> str:
        """Every app's origin, as policies name them: https://*.apps.example.org."""
        return f"{self.scheme}://*.{self.domain}{self.port}"

    def origin(self, user: str, server: str, server_id: int) -> str:
        """`https://lab-ada-17.apps.example.org`"""
        return f"{self.scheme}://{label(user, server, server_id)}.{self.domain}{self.port}"

    def holds(self, host: str) -> bool:
        """Whether a host, as a request names it, is below the domain; also when no app has it."""
        return self._below(host) is not None

    def server_id(self, host: str) -> int | None:
        """The server that a host, as a request names it, says it is of."""
        found = self._below(host)
        return id_of_label(found) if found else None

    def server_of(self, origin: str) -> int | None:
        """The server that an origin, as our own addresses name it, says it is of."""
        scheme, _, host = origin.partition("://")
        fits = scheme == self.scheme and host.partition(":")[1:] == self.port.partition(":")[1:]
        return self.server_id(host) if fits else None

    def _below(self, host: str) -> str | None:
        name = host.lower().partition(":")[0].removesuffix(".")
        below = name.removesuffix(f".{self.domain}")
        return below if below != name else None
