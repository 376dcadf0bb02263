"""The sample app as a real process, with a small hub of the test's own in front of it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import apphub.apps.hello
from apphub.apps.visitors import MOST_REMEMBERED, Memory

PREFIX = "/user/ada/lab/"
SECRET = "the-servers-own-token"
ACCESS = "access:servers!server=ada/lab"


@dataclass
class FakeHub:
    """Answers three requests as a hub does and remembers what it was told."""

    server: ThreadingHTTPServer
    #: Token -> name and scopes.
    people: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    challenge: str = ""
    activity: list[Any] = field(default_factory=list)
    exchanges: list[dict[str, str]] = field(default_factory=list)
    away: bool = False

    def answer(self, method: str, path: str, token: str, body: str) -> tuple[int, Any]:
        if self.away:
            return 503, {}
        if (method, path) == ("GET", "/hub/api/user"):
            name, scopes = self.people.get(token, ("", None))
            return (403, {}) if scopes is None else (200, {"name": name, "kind": "user", "scopes": scopes})
        if (method, path) == ("POST", "/hub/api/oauth2/token"):
            given = {name: values[0] for name, values in parse_qs(body).items()}
            self.exchanges.append(given)
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge
            good = proved and given["client_secret"] == token == SECRET
            return (200, {"access_token": given["code"]}) if good else (400, {"error": "invalid_grant"})
        if (method, path) == ("POST", "/hub/api/users/ada/activity") and token == SECRET:
            self.activity.append(json.loads(body))
            return 200, None
        return 404, {}


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        token = self.headers.get("Authorization", "").partition(" ")[2]
        status, answer = self.hub.answer(self.command, self.path, token, body)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"" if answer is None else json.dumps(answer).encode())

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    _Handler.hub = FakeHub(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    _Handler.hub.people["good"] = ("ada", [ACCESS, "read:users:name!user"])
    yield _Handler.hub
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    def cookies(self) -> dict[str, str]:
        return dict(line.partition(";")[0].split("=", 1) for line in self.headers.get_all("Set-Cookie") or [])


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()


@pytest.fixture
def hello(hub: FakeHub) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = f"http://127.0.0.1:{hub.server.server_port}/hub/api"
    env = {
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{PREFIX}",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_API_URL": api,
        "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/ada/activity",
        "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada-lab",
        "JUPYTERHUB_API_TOKEN": SECRET,
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([ACCESS, "access:servers!user=ada"]),
        "JUPYTERHUB_USER": "ada",
        "JUPYTERHUB_SERVER_NAME": "lab",
        "APPHUB_PROFILE": "hello",
        "APPHUB_USER_OPTIONS": json.dumps({"colour": "<b>red</b>"}),
    }
    command = [sys.executable, "-I", apphub.apps.hello.__file__]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    running = Running(process, port)
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            running.get(PREFIX)
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    yield running
    process.kill()
    process.communicate()


def sign_in(hello: Running, hub: FakeHub, code: str = "good", path: str = PREFIX) -> Answer:
    """As a browser does it: to the hub, and back with a code."""
    away = hello.get(path)
    query = {name: values[0] for name, values in parse_qs(urlsplit(away.headers["Location"]).query).items()}
    hub.challenge = query["code_challenge"]
    ((name, value),) = away.cookies().items()
    return hello.get(f"{query['redirect_uri']}?code={code}&state={query['state']}", Cookie=f"{name}={value}")


def session_of(answer: Answer) -> str:
    return "; ".join(f"{name}={value}" for name, value in answer.cookies().items() if value)


def test_a_stranger_is_sent_to_the_hub_with_a_pkce_challenge(hello: Running) -> None:
    answer = hello.get(PREFIX)
    assert answer.status == 302
    url = urlsplit(answer.headers["Location"])
    query = parse_qs(url.query)
    assert url.path == "/hub/api/oauth2/authorize"
    assert query["client_id"] == ["jupyterhub-user-ada-lab"]
    assert query["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    assert query["code_challenge_method"] == ["S256"]
    cookie = answer.headers["Set-Cookie"]
    assert f"Path={PREFIX};" in cookie
    assert "HttpOnly; SameSite=Lax" in cookie


def test_whoever_the_hub_lets_in_sees_the_page_where_they_wanted_to_go(hello: Running, hub: FakeHub) -> None:
    back = sign_in(hello, hub, path=f"{PREFIX}deep?x=1")
    assert (back.status, back.headers["Location"]) == (302, f"{PREFIX}deep?x=1")
    assert hub.exchanges[0]["redirect_uri"] == f"{PREFIX}oauth_callback"
    page = hello.get(f"{PREFIX}deep?x=1", Cookie=session_of(back))
    assert page.status == 200
    assert "Hello, ada" in page.text
    assert "&lt;b&gt;red&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_style_of_the_page_is_the_one_its_policy_names(hello: Running, hub: FakeHub) -> None:
    page = hello.get(PREFIX, Cookie=session_of(sign_in(hello, hub)))
    style = page.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["Content-Security-Policy"]


def test_somebody_without_access_is_refused_after_signing_in(hello: Running, hub: FakeHub) -> None:
    hub.people["other"] = ("bob", ["access:servers!user=bob"])
    answer = sign_in(hello, hub, code="other")
    assert answer.status == 403
    assert answer.headers.get_all("Set-Cookie") is None


def test_a_state_of_another_browser_or_a_forged_one_is_refused(hello: Running, hub: FakeHub) -> None:
    away = hello.get(PREFIX)
    state = parse_qs(urlsplit(away.headers["Location"]).query)["state"][0]
    ((name, value),) = away.cookies().items()
    callback = f"{PREFIX}oauth_callback?code=good&state="
    assert hello.get(callback + state).status == 403
    assert hello.get(callback + "other", Cookie=f"{name}={value}").status == 403
    assert hello.get(callback + state, Cookie=f"{name}=x{value}").status == 403
    assert hello.get(f"{PREFIX}oauth_callback").status == 403
    assert hub.exchanges == []


def test_an_invented_session_is_nobody(hello: Running, hub: FakeHub) -> None:
    name = session_of(sign_in(hello, hub)).split("=")[0]
    assert hello.get(PREFIX, Cookie=f"{name}=guess").status == 302
    assert hello.get(PREFIX, Cookie=f"{name}=").status == 302


@pytest.mark.parametrize("kind", ["token", "Bearer"])
def test_a_program_with_a_token_is_told_what_was_started(hello: Running, kind: str) -> None:
    answer = hello.get(PREFIX, Authorization=f"{kind} good", Accept="application/json")
    assert answer.status == 200
    assert json.loads(answer.text) == {
        "user": "ada",
        "server": "lab",
        "profile": "hello",
        "options": {"colour": "<b>red</b>"},
        "visitor": "ada",
    }


def test_programs_without_a_token_or_with_a_bad_one_are_refused(hello: Running, hub: FakeHub) -> None:
    hub.people["other"] = ("bob", [])
    assert hello.get(PREFIX, Accept="application/json").status == 403
    assert hello.get(PREFIX, Authorization="token nonsense").status == 403
    assert hello.get(PREFIX, Authorization="token other").status == 403
    assert hello.get(f"{PREFIX}?token=good").status == 302


def test_an_upgrade_without_a_session_is_refused(hello: Running) -> None:
    assert hello.get(PREFIX, Upgrade="websocket", Connection="Upgrade").status == 403


def test_a_hub_that_is_away_lets_nobody_in(hello: Running, hub: FakeHub) -> None:
    hub.away = True
    assert hello.get(PREFIX, Authorization="token good").status == 503


def test_other_paths_and_methods_are_not_served(hello: Running) -> None:
    assert hello.get("/").status == 404
    assert hello.get("/user/ada/other/").status == 404
    assert hello.get(PREFIX.rstrip("/")).headers["Location"] == PREFIX
    assert hello.get(PREFIX, method="HEAD").status == 302
    assert hello.get(PREFIX, method="POST").status == 501


def test_activity_is_reported_at_the_start_and_after_visits_only(hello: Running, hub: FakeHub) -> None:
    until = time.monotonic() + 10
    while not hub.activity and time.monotonic() < until:
        time.sleep(0.05)
    assert set(hub.activity[0]["servers"]) == {"lab"}
    assert hub.activity[0]["last_activity"].endswith("Z")
    time.sleep(1.5)
    assert len(hub.activity) == 1
    hello.get(PREFIX, Authorization="token good")
    until = time.monotonic() + 10
    while len(hub.activity) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert hub.activity[1]["last_activity"] > hub.activity[0]["last_activity"]


def test_sigterm_ends_it_at_once(hello: Running) -> None:
    hello.process.send_signal(signal.SIGTERM)
    assert hello.process.wait(4) == 0  # servers are given longer than that before they are killed


def test_an_environment_of_no_hub_is_refused_in_words() -> None:
    command = [sys.executable, "-I", apphub.apps.hello.__file__]
    ended = subprocess.run(command, env={}, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert b"JUPYTERHUB_SERVICE_URL" in ended.stderr


def test_the_app_loads_nothing_of_the_hub() -> None:
    code = "import sys, apphub.apps.hello; print(*[m for m in sys.modules if m.startswith('apphub')])"
    ended = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, timeout=20, check=True, cwd=Path(os.sep)
    )
    assert set(ended.stdout.decode().split()) == {
        "apphub",
        "apphub.apps",
        "apphub.apps.hello",
        "apphub.apps.visitors",
    }


def test_what_is_remembered_is_bounded_in_number_and_age() -> None:
    lasting: Memory[int] = Memory(60)
    for number in range(MOST_REMEMBERED + 1):
        lasting.put(str(number), number)
    assert lasting.get("0") is None
    assert lasting.get(str(MOST_REMEMBERED)) == MOST_REMEMBERED
    passing: Memory[int] = Memory(0.01)
    passing.put("a", 1)
    assert passing.get("a") == 1
    time.sleep(0.02)
    assert passing.get("a") is None
