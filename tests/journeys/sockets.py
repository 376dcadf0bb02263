"""A websocket of the test's own through the edge: whether one and the same connection lives on."""

from __future__ import annotations

import base64
import os
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from hubs import RunningHub


class EchoSocket:
    """A connection to an app that sends back what it gets (RFC 6455, short text messages only)."""

    def __init__(self, hub: RunningHub, path: str) -> None:
        target = urlsplit(f"{hub.url}{path}")
        self._socket = socket.create_connection(hub.address, timeout=30)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self._file.readline()
        if b" 101 " not in status:
            self.close()
            raise AssertionError(f"no websocket: {status!r}")
        while self._file.readline().strip():
            pass

    def echo(self, text: str) -> str:
        """Send a message; what comes back, or nothing when the connection has ended."""
        data, mask = text.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        self._socket.sendall(bytes([0x81, 0x80 | len(data)]) + mask + masked)
        head = self._file.read(2)
        return self._file.read(head[1]).decode() if len(head) == 2 else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()
