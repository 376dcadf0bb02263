"""Whether the public addresses can be opened, asked before Envoy is: it would only log the reason."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from apphub.errors import Unavailable
from apphub.kit.addresses import Address

_REASONS = {
    errno.EADDRINUSE: (
        "is taken by another program.",
        "Stop that program, or choose another address with `bind`.",
    ),
    errno.EACCES: (
        "may not be opened by this account.",
        "Ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one with `bind`.",
    ),
    errno.EADDRNOTAVAIL: (
        "is not an address of this machine.",
        "Set `bind` to one that is, or to 0.0.0.0 for all.",
    ),
}


class AddressUnavailable(Unavailable):
    """A public address cannot be opened."""

    def __init__(self, address: Address, error: OSError) -> None:
        what, advice = _REASONS.get(
            error.errno or 0, (f"cannot be opened: {error.strerror}.", "Choose another one with `bind`.")
        )
        super().__init__(f"The address {address} {what}", advice)
        self.address = address


def check_free(addresses: Iterable[Address]) -> None:
    """Raise `AddressUnavailable` for the first address that cannot be opened now."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                # As Envoy does: connections that linger after the last one do not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address.ip, address.port))
        except OSError as error:
            raise AddressUnavailable(address, error) from error
