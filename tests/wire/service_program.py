"""A program for tests that run it as a service: tells what it was started with and what it is asked.

    service_program.py [ANYTHING]          listens at JUPYTERHUB_SERVICE_URL
    service_program.py write FILE          writes its environment to FILE, and waits
    service_program.py end FILE STATUS     adds a line to FILE and ends at once

Answers are JSON. After an upgrade it sends back whatever comes, as it comes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def told() -> dict[str, Any]:
    """What is worth knowing about this process."""
    return {"pid": os.getpid(), "arguments": sys.argv[1:], "folder": str(Path.cwd()), "env": dict(os.environ)}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self._echo()
            return
        body = json.dumps({**told(), "path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        while part := self.connection.recv(1024):
            self.connection.sendall(part)


def main() -> None:
    """Do what the arguments say."""
    print(f"service {os.environ['JUPYTERHUB_SERVICE_NAME']} begins", flush=True)
    match sys.argv[1:]:
        case ["write", file]:
            fresh = Path(f"{file}.new")
            fresh.write_text(json.dumps(told()))
            fresh.rename(file)
            time.sleep(3600)
        case ["end", file, status]:
            with Path(file).open("a") as log:
                log.write(f"{time.time()}\n")
            print("no more for today", flush=True)
            sys.exit(int(status))
        case _:
            url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
            assert url.hostname is not None
            assert url.port is not None
            ThreadingHTTPServer((url.hostname, url.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
