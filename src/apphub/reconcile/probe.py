"""Does a server answer? Any HTTP answer counts: what it says is its own business.

Written on bare streams: hundreds of servers may be starting at once and be asked several
times a second, and all that is asked is whether a line that begins with `HTTP/` comes back.
"""

from __future__ import annotations

import asyncio

from apphub.kit.addresses import Address


async def answers(address: Address, path: str, *, timeout: float = 5.0) -> bool:
    """Whether a GET of this path gets an HTTP answer in time."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address.ip, address.port)
            try:
                request = (
                    f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAccept: */*\r\n\r\n"
                )
                writer.write(request.encode())
                return (await reader.read(5)) == b"HTTP/"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
