"""The sample app: a small page that says who you are and what it was started with.

It exists so that a new hub has something to launch, and to show all that an app must do to
stand behind a hub that speaks JupyterHub's protocol: listen where JUPYTERHUB_SERVICE_URL says,
let in whoever the hub lets in (OAuth 2 with PKCE for browsers, tokens for programs), report
activity. Standard library only, so that it starts fast: `python -I -m apphub.apps.hello`.

A session keeps the visitor's access token and asks the hub again every 30 seconds, so that
signing out of the hub, or losing a share, ends it here too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from apphub.apps.visitors import SIGN_IN_SECONDS, Config, Hub, HubAway, Memory, SignIn

SESSION_SECONDS = 12 * 3600
MOST_CONNECTIONS = 64

STYLE = """
:root{color-scheme:light dark;--g:#f6f6f3;--p:#fff;--t:#1d2129;--s:#555c68;--l:#dcdcd5;--a:#3557c9;--o:#fff}
@media(prefers-color-scheme:dark){:root{--g:#15171c;--p:#1e2128;--t:#e8eaef;--s:#a9b0bd;--l:#343945;--a:#9db4ff;--o:#131a33}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;background:var(--g);color:var(--t);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
main{width:min(36rem,100%);padding:clamp(1.25rem,5vw,2.5rem);background:var(--p);border:1px solid var(--l);border-radius:16px}
h1{margin:0 0 .25rem;font-size:clamp(1.5rem,1.2rem + 2vw,2.1rem);line-height:1.2;letter-spacing:-.01em}
p{margin:0 0 1.5rem;color:var(--s)}
dl{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.6rem 1.25rem;margin:0 0 1.75rem;padding-top:1.25rem;border-top:1px solid var(--l)}
dt{color:var(--s)}dd{margin:0;font-weight:550}
a{display:inline-flex;align-items:center;min-height:44px;padding:0 1.2rem;border-radius:9px;background:var(--a);color:var(--o);font-weight:600;text-decoration:none}
a:focus-visible{outline:3px solid var(--t);outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def document(title: str, words: str, facts: Mapping[str, str], link: tuple[str, str]) -> str:
    """A whole page; everything is escaped here."""
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in facts.items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head><body><main>'
        f"<h1>{html.escape(title)}</h1><p>{html.escape(words)}</p>{f'<dl>{rows}</dl>' if rows else ''}"
        f'<a href="{html.escape(link[0])}">{html.escape(link[1])}</a></main></body></html>'
    )


class App:
    """Everything that the threads share."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hub = Hub(config)
        self.sign_in = SignIn(config)
        #: Cookie value -> access token.
        self.sessions: Memory[str] = Memory(SESSION_SECONDS)
        self.visited = datetime.now(UTC)

    def facts(self, visitor: str) -> dict[str, Any]:
        """What is told to whoever may know."""
        config = self.config
        return {
            "user": config.user,
            "server": config.server,
            "profile": config.profile,
            "options": config.options,
            "visitor": visitor,
        }

    def keep_reporting(self) -> None:
        """Report activity at the start, and then once per interval when somebody came by."""
        reported = None
        while self.config.activity_url:
            seen = self.visited
            if seen != reported and self.hub.report(seen):
                reported = seen
            pause = self.config.activity_interval if reported == seen else 15.0
            time.sleep(min(pause, self.config.activity_interval))


class Handler(BaseHTTPRequestHandler):
    """Reads only the request line and the headers; a body is never read."""

    protocol_version = "HTTP/1.1"
    server_version = "hello"
    sys_version = ""
    timeout = 15
    app: App

    def do_GET(self) -> None:
        try:
            self._answer()
        except HubAway:
            self._refuse(503, "The hub does not answer. Try again in a moment.")

    do_HEAD = do_GET  # noqa: N815 - the base class looks it up by this name

    def _answer(self) -> None:
        config = self.app.config
        path, _, query = self.path.partition("?")
        if path + "/" == config.prefix:
            self._redirect(config.prefix)
        elif not path.startswith(config.prefix):
            self._refuse(404, "There is nothing at this address.")
        elif path == config.callback:
            self._come_back(query)
        elif token := self._bearer():
            self._welcome(self.app.hub.visitor(token))
        else:
            self._browser()

    def _browser(self) -> None:
        token = self.app.sessions.get(self._cookies().get(self.app.sign_in.cookie, ""))
        visitor = self.app.hub.visitor(token, session=True) if token else None
        if visitor is None and not self._wants_json() and self.headers.get("Upgrade") is None:
            # A path that could be read as another host's is not kept as the place to return to.
            target = (
                self.path if re.fullmatch(r"/(?!/)[!-\[\]-~]{0,1000}", self.path) else self.app.config.prefix
            )
            url, name, value = self.app.sign_in.begin(target)
            self._redirect(url, self._cookie(name, value, SIGN_IN_SECONDS))
        else:
            self._welcome(visitor)

    def _come_back(self, query: str) -> None:
        given = {name: values[0] for name, values in parse_qs(query, max_num_fields=10).items()}
        begun = self.app.sign_in.finish(given.get("state", ""), self._cookies())
        if begun is None or "code" not in given:
            self._refuse(403, "This sign-in was not begun in this browser, took too long, or was refused.")
            return
        verifier, target, state_cookie = begun
        token = self.app.hub.exchange(given["code"], verifier)
        if token is None or self.app.hub.visitor(token) is None:
            self._refuse(403, "The hub says that you may not use this app.")
            return
        session = secrets.token_urlsafe(32)
        self.app.sessions.put(session, token)
        self._redirect(
            target,
            self._cookie(self.app.sign_in.cookie, session, SESSION_SECONDS),
            self._cookie(state_cookie, "", 0),
        )

    def _welcome(self, visitor: str | None) -> None:
        if visitor is None:
            self._refuse(403, "You may not use this app.")
            return
        self.app.visited = datetime.now(UTC)
        facts = self.app.facts(visitor)
        if self._wants_json():
            self._send(200, json.dumps(facts), "application/json")
            return
        rows = {
            "Server": f"{facts['user']} / {facts['server'] or 'default server'}",
            "Profile": facts["profile"] or "none",
            "Options": "none",
        }
        if isinstance(facts["options"], dict) and facts["options"]:
            del rows["Options"]
            rows |= {f"Option {name}": str(value) for name, value in facts["options"].items()}
        home = (self.app.config.hub + "hub/home", "Back to the hub")
        words = "This is a sample app. It was started by the hub, and the hub told it who you are."
        self._send(200, document(f"Hello, {visitor}", words, rows, home), "text/html; charset=utf-8")

    def _refuse(self, status: int, words: str) -> None:
        if self._wants_json() or self._bearer():
            self._send(status, json.dumps({"status": status, "message": words}), "application/json")
            return
        home = (self.app.config.hub + "hub/home", "Back to the hub")
        title = {403: "Not allowed", 404: "Not found"}.get(status, "Not now")
        self._send(status, document(title, words, {}, home), "text/html; charset=utf-8")

    def _redirect(self, url: str, *cookies: str) -> None:
        self._send(302, "", "text/plain", ("Location", url), *[("Set-Cookie", cookie) for cookie in cookies])

    def _send(self, status: int, text: str, kind: str, *headers: tuple[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            # A proxy could reuse a kept connection just as it is closed here for being idle.
            ("Connection", "close"),
            ("Content-Security-Policy", POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            *headers,
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _wants_json(self) -> bool:
        return "application/json" in self.headers.get("Accept", "")[:1000].lower()

    def _bearer(self) -> str:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip()[:500] if kind.lower() in ("token", "bearer") else ""

    def _cookies(self) -> dict[str, str]:
        pairs = (part.strip().partition("=") for part in self.headers.get("Cookie", "")[:16_000].split(";"))
        return {name: value for name, _, value in pairs}

    def _cookie(self, name: str, value: str, seconds: int) -> str:
        secure = "; Secure" if self.headers.get("X-Forwarded-Proto", "").lower() == "https" else ""
        path = self.app.config.prefix
        return f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Nothing is logged: paths hold authorisation codes."""


class Server(ThreadingHTTPServer):
    """As many threads as there may be connections, and no more."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config: Config, handler: type[Handler]) -> None:
        parts = urlsplit(config.service_url)
        host = parts.hostname or "0.0.0.0"  # noqa: S104 - the protocol's word for "all interfaces"
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((host, parts.port or 80), handler)

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the machine's name, which may be slow."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for room, then serve in a thread."""
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is nobody's fault; anything else is written down."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main(env: Mapping[str, str] = os.environ) -> None:
    """Serve until SIGTERM, which ends it at once."""
    end: Callable[..., None] = lambda *_: os._exit(0)  # noqa: E731
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        app = App(Config.read(env))
    except (KeyError, ValueError) as error:
        sys.exit(f"The environment is not one of a hub's server: {error}")
    server = Server(app.config, type("BoundHandler", (Handler,), {"app": app}))
    threading.Thread(target=app.keep_reporting, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
