"""IP addresses with ports: how they are written in settings, URLs and the data plane."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Address(NamedTuple):
    """An IP address (never a host name) and a TCP port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `127.0.0.1:8000`, `[::1]:8000`, `:8000` (every IPv4 address) or `localhost:8000`.

        Raises ValueError in words.
        """
        host, colon, port = text.strip().rpartition(":")
        if not colon:
            raise ValueError(f"{text!r} has no port; write ADDRESS:PORT, for example 127.0.0.1:8000")
        host = {"": "0.0.0.0", "*": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        try:
            ip = str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{host!r} is not an IP address") from None
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{port!r} is not a port (1 to 65535)")
        return cls(ip, int(port))
