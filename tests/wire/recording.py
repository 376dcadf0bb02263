"""What goes between a client and a hub, written down and held against the document of the API."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

#: Headers that are about one connection only.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    status: int
    media: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status} {self.media} {self.body[:300]!r}"


class Contract:
    """The document of the API, asked about exchanges."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        base = document["servers"][0]["url"]
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(f"{base}{path}"))), path)
            for path in document["paths"]
        ]

    def paths(self) -> set[tuple[str, str]]:
        """Every operation, by path and method."""
        return {(path, method) for path, methods in self._document["paths"].items() for method in methods}

    def operation(self, exchange: Exchange) -> tuple[str, str] | None:
        """The path and method of the document that were asked for; None for anything else."""
        asked = exchange.path.partition("?")[0]
        for pattern, path in self._paths:
            if pattern.fullmatch(asked) and exchange.method.lower() in self._document["paths"][path]:
                return path, exchange.method.lower()
        return None

    def breach(self, exchange: Exchange) -> str | None:
        """How the answer breaks the contract; None when it keeps it."""
        found = self.operation(exchange)
        if found is None:
            return None
        path, method = found
        told = self._document["paths"][path][method]["responses"].get(str(exchange.status))
        if told is None:
            return f"{exchange}: a status that is not in the document"
        content = told.get("content", {})
        if not content:
            return f"{exchange}: a body where none is in the document" if exchange.body else None
        if exchange.method == "HEAD":
            return None
        if exchange.media not in content:
            return f"{exchange}: the document has {', '.join(content)}"
        return self._in_body(exchange, content[exchange.media]["schema"])

    def _in_body(self, exchange: Exchange, schema: Mapping[str, Any]) -> str | None:
        if exchange.media == "application/json":
            return self._misfit(exchange, json.loads(exchange.body), schema)
        if exchange.media == "text/event-stream":
            inside = schema["properties"]["data"]["contentSchema"]
            events = re.findall(rb"^data: (.*)$", exchange.body, re.M)
            misfits = (self._misfit(exchange, json.loads(event), inside) for event in events)
            return next(filter(None, misfits), None)
        return None

    def _misfit(self, exchange: Exchange, value: Any, schema: Mapping[str, Any]) -> str | None:
        whole = {**schema, "components": self._document["components"]}
        error = next(iter(Draft202012Validator(whole).iter_errors(value)), None)
        return None if error is None else f"{exchange}: {error.message[:500]}"


class _Through(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: ClassVar[str]
    exchanges: ClassVar[list[Exchange]]

    def _pass(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else None
        onward = http.client.HTTPConnection(self.hub, timeout=60)
        try:
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP:
                    onward.putheader(name, value)
            if body is not None or self.headers.get("content-length") is not None:
                onward.putheader("content-length", str(length))
            onward.endheaders(body)
            answer = onward.getresponse()
            told = answer.read()
        finally:
            onward.close()
        media = (answer.getheader("content-type") or "").partition(";")[0].strip()
        self.exchanges.append(Exchange(self.command, self.path, answer.status, media, told))
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass

    def log_message(self, *args: Any) -> None:
        """Nothing: what matters is in `exchanges`."""


@contextlib.contextmanager
def recorded(hub: str) -> Iterator[tuple[str, list[Exchange]]]:
    """An address that leads to the hub (an origin, http only), and what has gone through it."""
    kept: list[Exchange] = []
    handler = type("Through", (_Through,), {"hub": urlsplit(hub).netloc, "exchanges": kept})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
