"""A hub with an app that the edge guards, people who visit it, and what they say on the wire."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from hubs import PASSWORD, TRIAL, RunningHub

ECHO = Path(__file__).with_name("echo_app.py")
COOKIE = "apphub-pass"


def echoing(**more: Any) -> dict[str, Any]:
    """Settings with the echo app, open to everybody; `more` is for its profile."""
    profile = {
        "slug": "echo",
        "display_name": "Echo",
        "command": [sys.executable, str(ECHO), "{port}"],
        "groups": "everyone",
        "default": True,
        **more,
    }
    return {**TRIAL, "profiles": [profile]}


def start(hub: RunningHub, user: str, name: str = "", **options: Any) -> None:
    """Start a server of somebody and wait until it is ready."""
    token = hub.token_for(user)
    answer = hub.ask("POST", f"users/{user}/servers/{name}", token=token, json=options or {})
    assert answer.status_code in (201, 202), answer.text
    hub.ready(user, name)


def share(hub: RunningHub, owner: str, name: str, body: Mapping[str, Any]) -> None:
    """Open a server to somebody else."""
    answer = hub.ask("POST", f"shares/{owner}/{name}", json=dict(body))
    assert answer.status_code in (200, 201), answer.text


def let_in(browser: httpx.Client, path: str) -> httpx.Response:
    """Visit an app as a browser does, by way of the hub where the edge says so; the app's answer."""
    answer = browser.get(path, headers={"accept": "text/html"}, follow_redirects=True)
    assert answer.status_code == 200, (answer.status_code, answer.text)
    return answer


def come_in(browser: httpx.Client, name: str) -> None:
    """Sign in as somebody, and open their default server."""
    browser.get("hub/login")
    form = {"username": name, "password": PASSWORD, "_xsrf": browser.cookies["_xsrf"]}
    assert browser.post("hub/login", data=form).status_code == 302
    let_in(browser, f"user/{name}/")


def pass_of(browser: httpx.Client, path: str) -> str:
    """The pass that the browser holds for the app at this path (`/user/ada/`)."""
    (found,) = [one for one in browser.cookies.jar if one.name == COOKIE and one.path == path]
    assert found.value is not None
    return found.value


def questions(hub: RunningHub) -> int:
    """How often the edge has asked the hub whether somebody may pass."""
    with hub.client(hub.token) as client:
        answer = client.get("hub/metrics")
    assert answer.status_code == 200, answer.text
    count = r'^jupyterhub_request_duration_seconds_count\{.*handler="/hub/edge/check[^"]*".*\} ([0-9.]+)'
    found = re.findall(count, answer.text, re.M)
    return int(sum(map(float, found)))


def told(answer: httpx.Response) -> dict[str, list[str]]:
    """The headers that the app received."""
    headers: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


class Line:
    """A connection on which anything can be said."""

    def __init__(self, hub: RunningHub) -> None:
        self._socket = socket.create_connection((hub.address.ip, hub.address.port), timeout=20)
        if hub.origin.startswith("https:"):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._socket = context.wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")
        self.body = b""

    def say(self, content: str | bytes) -> None:
        self._socket.sendall(content.encode("latin-1") if isinstance(content, str) else content)

    def status(self) -> int:
        """Of the next answer; its body is read too. 0: the connection was ended without a word."""
        try:
            line = self._file.readline()
            if not line:
                return 0
            size = 0
            while (field := self._file.readline().strip()) != b"":
                name, _, value = field.partition(b":")
                if name.lower() == b"content-length":
                    size = int(value)
            self.body = self._file.read(size)
        except ConnectionError:
            return 0
        return int(line.split()[1])

    def first_line(self) -> str:
        """Of an answer that has no body; empty when the connection was ended without a word."""
        try:
            return self._file.readline().decode("latin-1")
        except ConnectionError:
            return ""

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class WebSocket(Line):
    """Says something short and hears it back (RFC 6455)."""

    def __init__(
        self, hub: RunningHub, path: str, headers: Mapping[str, str] | None = None, host: str = ""
    ) -> None:
        super().__init__(hub)
        key = base64.b64encode(os.urandom(16)).decode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.say(
            f"GET {path} HTTP/1.1\r\nHost: {host or hub.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        )
        self.opened = self.status()

    def ask(self, text: str, *, kind: int = 1) -> str | None:
        """What comes back for a text; None when the connection is closed instead, with or without a word."""
        mask, content = os.urandom(4), text.encode()
        try:
            masked = bytes(b ^ mask[i % 4] for i, b in enumerate(content))
            self.say(bytes((0x80 | kind, 0x80 | len(content))) + mask + masked)
            head = self._file.read(2)
            answer = self._file.read(head[1]) if len(head) == 2 else b""
        except ConnectionError:
            return None
        return answer.decode() if len(head) == 2 and head[0] & 0x0F != 8 else None

    def ended(self) -> bool:
        """Whether the other side has closed the connection, with or without a word."""
        self._socket.settimeout(5)
        with contextlib.suppress(ConnectionError):
            head = self._file.read(2)
            return len(head) < 2 or head[0] & 0x0F == 8
        return True


def cookie(value: str) -> dict[str, str]:
    """The header that sends a pass."""
    return {"cookie": f"{COOKIE}={value}"}


def part(token: str, index: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a signed token."""
    text = token.split(".")[index]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def encoded(content: Mapping[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(dict(content)).encode()).decode().rstrip("=")


@contextlib.contextmanager
def signed_in(hub: RunningHub, name: str, *paths: str) -> Iterator[httpx.Client]:
    """Somebody in front of a browser, who has visited these apps."""
    with hub.sign_in(name) as browser:
        for path in paths:
            let_in(browser, path)
        yield browser
