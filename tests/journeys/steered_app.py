"""An app that does what its options say. The standard library only: it starts fast and often.

    delay     wait so many seconds before listening
    fail      say why, and end with status 1 instead of listening
    children  start so many processes, every second one in a session of its own

It answers every path with its process id and what the hub told it; a websocket gets back
whatever it sends. There is no access control: for loopback addresses in tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: RFC 6455, section 1.3.
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A websocket, or the facts."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._echo()
            return
        told = {name: value for name, value in os.environ.items() if name.startswith("JUPYTERHUB_")}
        body = json.dumps({"pid": os.getpid(), "env": told}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _echo(self) -> None:
        digest = hashlib.sha1(f"{self.headers['Sec-WebSocket-Key']}{_MAGIC}".encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2 and head[0] & 15 == 1:
            length = head[1] & 127
            assert length < 126, "only short messages are spoken here"
            mask, data = self.rfile.read(4), self.rfile.read(length)
            text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
            self.wfile.write(bytes([0x81, length]) + text)
            self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def main() -> None:
    """Do as told, then serve."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: os._exit(0))
    options = json.loads(os.environ.get("STEERED_OPTIONS") or "{}")
    print("steered: started", flush=True)
    if options.get("fail"):
        sys.exit("steered: the disk of the test is full")
    for number in range(int(options.get("children") or 0)):
        subprocess.Popen(["sleep", "600"], start_new_session=bool(number % 2))
    time.sleep(float(options.get("delay") or 0))
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = ThreadingHTTPServer((url.hostname or "127.0.0.1", url.port or 80), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
