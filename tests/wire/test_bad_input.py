"""What programs send by mistake or malice ends in a status and words, and changes nothing.

Everything is asked of one hub, which must still be whole at the end: no defect in its log, and
only the people, groups and servers that were there before.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hubs import TRIAL, RunningHub

LONG = "x" * 10_000
DEEP = b"[" * 100_000

#: Method, path and body; the status that tells what is wrong; words that the message must hold.
Case = tuple[str, str, Any, int, str]


@pytest.fixture(scope="module")
def tried_hub() -> Iterator[RunningHub]:
    hello = {"slug": "hello", "display_name": "Hello", "kind": "hello", "groups": "everyone", "default": True}
    with RunningHub({**TRIAL, "profiles": [hello], "groups": {"here": {}}}) as hub:
        assert hub.ask("POST", "users/ada").status_code == 201
        before = _everything(hub)
        yield hub
        assert _everything(hub) == before, "something was left half done"
        for line in hub.logs.splitlines():
            assert "Traceback" not in line
            assert "request.fault" not in line


def _everything(hub: RunningHub) -> tuple[Any, Any]:
    users = hub.ask("GET", "users?include_stopped_servers=1").json()
    for user in users:
        del user["last_activity"]
    return users, hub.ask("GET", "groups").json()


def _told(answer: httpx.Response) -> str:
    """The words of a refusal of the API, which are JSON and short, whatever was sent."""
    told = answer.json()
    assert told["status"] == answer.status_code
    message: str = told["message"]
    assert 0 < len(message) < 1000
    assert message.isprintable()
    return message


JSON: list[Case] = [
    ("POST", "users", b"", 400, "at least one user"),
    ("POST", "users", b"{", 400, "Invalid JSON"),
    ("POST", "users", b"\xff\xfe{}", 400, "Invalid JSON"),
    ("POST", "users", b'{"usernames": ["\\ud800"]}', 400, "Invalid JSON"),
    ("POST", "users", DEEP, 400, "Invalid JSON"),
    ("PATCH", "users/ada", b"{]", 400, "Invalid JSON"),
    ("POST", "users/ada/tokens", b"nonsense", 400, "Invalid JSON"),
    ("POST", "users/ada/servers/lab", b"{'a': 1}", 400, "Invalid JSON"),
    ("POST", "groups/here/users", b"{", 400, "Invalid JSON"),
    ("GET", "authorizations/token", b"{", 400, "Invalid JSON"),
    ("GET", "authorizations/token", b"", 400, "username"),
]

TYPES: list[Case] = [
    ("POST", "users", [], 400, "at least one user"),
    ("POST", "users", {"usernames": "bob"}, 400, "list of strings"),
    ("POST", "users", {"usernames": ["bob", 7]}, 400, "list of strings"),
    ("POST", "users", {"usernames": ["bob"], "admin": "yes"}, 400, "true or false"),
    ("POST", "users", {"usernames": ["bob"], "colour": "red"}, 400, "colour"),
    ("PATCH", "users/ada", {"name": 5}, 400, "text"),
    ("PATCH", "users/ada", {"admin": "x"}, 400, "true or false"),
    ("POST", "users/ada/tokens", {"expires_in": "soon"}, 400, "integer"),
    ("POST", "users/ada/tokens", {"expires_in": True}, 400, "integer"),
    ("POST", "users/ada/tokens", {"expires_in": 10**30}, 400, "ten years"),
    ("POST", "users/ada/tokens", {"note": 5}, 400, "string"),
    ("POST", "users/ada/tokens", {"scopes": "read:users"}, 400, "list of strings"),
    ("POST", "users/ada/tokens", {"scopes": ["no:such"]}, 400, "no:such"),
    ("POST", "users/ada/activity", {"last_activity": "yesterday"}, 400, "timestamp"),
    ("POST", "users/nobody/activity", {"last_activity": "yesterday"}, 404, "nobody"),
    ("POST", "users/ada/activity", {"servers": {"none": {"last_activity": "2020-01-01"}}}, 400, "none"),
    ("POST", "users/ada/activity", {"last_activity": "9999-12-31T23:59:59Z"}, 400, "future"),
    ("POST", "users/ada/servers/lab", [1], 400, "JSON object"),
    ("POST", "users/ada/servers/lab", {"profile": 1}, 400, "text"),
    ("POST", "users/ada/servers/lab", {"profile": {"a": 1}}, 400, "text"),
    ("POST", "users/ada/servers/lab", {"user_options": 3}, 400, "object"),
    ("POST", "users/ada/servers/lab", {"profile": "hello", "size": 1}, 400, "no option 'size'"),
    ("POST", "users/ada/servers/lab", {"profile": "nowhere"}, 404, "Choose one of: hello"),
    ("DELETE", "users/ada/servers/lab", {"remove": "yes"}, 400, "true or false"),
    ("POST", "groups/here/users", {"users": "ada"}, 400, "list of names"),
    ("POST", "groups/here/users", {"users": ["ada", "nobody"]}, 400, "nobody"),
    ("PUT", "groups/here/properties", [1], 400, "properties"),
    ("POST", "authorizations/token", {"username": 5, "password": ["x"]}, 403, "Invalid username or password"),
    ("POST", "authorizations/token", {"username": "a\nb", "password": "\n"}, 403, "Invalid username"),
    ("POST", "authorizations/token", {"username": LONG, "password": LONG}, 403, "Invalid username"),
]

NAMES: list[Case] = [
    ("POST", "users", {"usernames": ["bob", "a\x07b"]}, 400, r"'a\x07b'"),
    ("POST", "users", {"usernames": ["a\nb"]}, 400, r"'a\nb'"),
    ("POST", "users", {"usernames": ["a\x1b[31mb"]}, 400, "Invalid username"),
    ("POST", "users", {"usernames": ["a\u202eb"]}, 400, "Invalid username"),
    ("POST", "users", {"usernames": ["a/b"]}, 400, "no slash"),
    ("POST", "users", {"usernames": [""]}, 400, "Invalid username"),
    ("POST", "users", {"usernames": ["bob", LONG]}, 400, "1 to 255"),
    ("POST", f"users/{LONG}", None, 400, "1 to 255"),
    ("POST", "users/a%0ab", None, 400, r"'a\nb'"),
    ("POST", "users/a%2Fb", None, 400, "no slash"),
    ("PATCH", "users/ada", {"name": LONG}, 400, "1 to 255"),
    ("PATCH", "users/ada", {"name": "a\rb"}, 400, "printable"),
    ("GET", f"users/{LONG}", None, 404, "No such user"),
    ("POST", f"groups/{LONG}", None, 400, "1 to 255"),
    ("POST", "groups/a%0Ab", None, 400, "printable"),
    ("POST", f"users/ada/servers/{LONG}", None, 400, "up to 30"),
    ("POST", "users/ada/servers/a%0Ab", None, 400, "a-z"),
    ("POST", "users/ada/servers/lab", {"display_name": "a\x07b"}, 400, "printable"),
    ("POST", "users/ada/servers/lab", {"display_name": LONG}, 400, "255"),
    ("POST", "users/ada/servers/lab", {"profile": LONG}, 404, "There is no profile"),
    ("POST", "users/ada/tokens", {"note": LONG}, 400, "longer than"),
]

#: No text of PostgreSQL and no argument of a program can hold it; SQLite could, and then they would differ.
ZERO: list[Case] = [
    (method, path, body, 400, "U+0000")
    for method, path, body in (
        ("POST", "users", {"usernames": ["bob", "a\x00b"]}),
        ("POST", "users/ada/tokens", {"note": "a\x00b"}),
        ("POST", "users/ada/servers/lab", {"display_name": "a\x00b"}),
        ("POST", "users/ada/servers/lab", {"profile": "hello", "a\x00b": 1}),
        ("PUT", "users/ada/servers/lab", {"user_options": {"profile": "hello", "a": [{"b": "\x00"}]}}),
        ("PUT", "groups/here/properties", {"a": ["\x00"]}),
        ("POST", "authorizations/token", {"username": "ada", "password": "\x00"}),
        ("GET", "users?name_filter=a%00", None),
    )
]

ADDRESSES: list[Case] = [
    ("GET", "nowhere", None, 404, "nothing at this address"),
    ("GET", "users/ada/nowhere", None, 404, "nothing at this address"),
    ("POST", "users/ada/servers/a/b", None, 404, "nothing at this address"),
    ("GET", "users//ada", None, 404, "nothing at this address"),
    ("PUT", "users", None, 405, "method"),
    ("DELETE", "users", None, 405, "method"),
    ("TRACE", "users", None, 405, "method"),
    ("PATCH", "groups", None, 405, "method"),
    ("GET", "users/%00", None, 404, "nothing at this address"),
    ("POST", "users/a%00b", None, 404, "nothing at this address"),
    ("POST", "users/%c3", None, 404, "nothing at this address"),
    ("GET", "users/%zz", None, 404, "No such user"),
    ("POST", "users/ada/servers/%00", None, 404, "nothing at this address"),
    ("POST", "users/ada/servers/%c3%28", None, 404, "nothing at this address"),
    ("GET", "users?offset=x", None, 400, "integers"),
    ("GET", "users?limit=99999999999999999999", None, 400, "out of bounds"),
    ("GET", "users?sort=%zz", None, 400, "sort"),
    ("GET", "users?state=asleep", None, 400, "state"),
]


def _named(case: Case) -> str:
    method, path, body, *_ = case
    return f"{method} {path[:30]} {str(body)[:30]!a}"


@pytest.mark.parametrize("case", [*JSON, *TYPES, *NAMES, *ZERO, *ADDRESSES], ids=_named)
def test_the_api_says_what_is_wrong_with_a_request(tried_hub: RunningHub, case: Case) -> None:
    method, path, body, status, words = case
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = tried_hub.ask(method, path, **({} if body is None else sent))
    assert answer.status_code == status, answer.text
    assert words in _told(answer)


@pytest.mark.parametrize("size", [2_000_001, 20_000_000])
@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("users", None, 413),
        ("users/ada/servers/lab", None, 413),
        ("authorizations/token", None, 413),
        ("users", "not a token", 403),
        ("nowhere", None, 404),
    ],
)
def test_a_body_that_is_too_large_is_refused_in_words_and_not_cut_off(
    tried_hub: RunningHub, path: str, token: str | None, status: int, size: int
) -> None:
    answer = tried_hub.ask("POST", path, token=token, content=b"x" * size)
    assert answer.status_code == status, answer.text
    assert _told(answer)


def test_a_large_body_without_a_length_is_refused_too(tried_hub: RunningHub) -> None:
    answer = tried_hub.ask("POST", "users", content=(b"y" * 100_000 for _ in range(30)))
    assert answer.status_code == 413, answer.text


def test_a_large_form_is_refused_as_a_page(tried_hub: RunningHub) -> None:
    with tried_hub.client() as browser:
        answer = browser.post("hub/login", content=b"x" * 3_000_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("token", ["x", "x" * 5000, "\xff", "a b", "%00"])
def test_a_token_that_is_none_is_refused_as_any_other(tried_hub: RunningHub, token: str) -> None:
    with tried_hub.client() as client:
        headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
        answer = client.get("hub/api/user", headers=headers)
    assert answer.status_code == 403
    assert _told(answer) == "Missing or invalid credentials."


@pytest.mark.parametrize(
    "headers", [{"x-big": "y" * 200_000}, {f"x-{n}": "1" for n in range(300)}], ids=["long", "many"]
)
def test_headers_beyond_measure_are_refused(tried_hub: RunningHub, headers: dict[str, str]) -> None:
    assert tried_hub.ask("GET", "user", headers=headers).status_code == 431


def _raw(hub: RunningHub, head: bytes) -> bytes:
    """The status line that comes back for these very bytes, which no proper client would send."""
    with socket.create_connection(hub.address, timeout=30) as connection:
        connection.sendall(head)
        got = b""
        while b"\r\n" not in got and (part := connection.recv(65536)):
            got += part
    return got.partition(b"\r\n")[0]


_REST = b" HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /%zz" + _REST, 404),
        (b"GET /hub/%c3" + _REST, 404),
        (b"GET /hub/%00" + _REST, 400),
        (b"GET /user/%00/" + _REST, 400),
        (b"GET /user/ada/%zz/%c3" + _REST, 302),
        (b"GET /hub/login?next=%c3%zz" + _REST, 200),
        (b"GET /hub/login?next=%00" + _REST, 400),
        (b"GET /hub/spawn/%c3/%28" + _REST, 302),
        (b"GET /\xff\xfe" + _REST, 400),
        (b"GET /hub/../../etc/passwd" + _REST, 404),
        (b"GET /" + b"a" * 100_000 + _REST, 414),
        (b"GET /hub/home" + _REST + b"Cookie: jupyterhub-hub-login=\xff\xfe; _xsrf=%zz\r\n", 302),
        (b"GET /hub/home HTTP/1.1\r\n", 400),
        (b"BREW /hub/home" + _REST, 400),
        (b"NONSENSE\r\n", 400),
        (b"POST /hub/api/users" + _REST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"POST /hub/api/users" + _REST + b"Content-Length: -5\r\n", 400),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
def test_bytes_that_no_client_should_send_get_a_status(
    tried_hub: RunningHub, head: bytes, status: int
) -> None:
    assert _raw(tried_hub, head + b"\r\n").startswith(b"HTTP/1.1 %d " % status)


def test_pages_tell_what_is_wrong_as_pages(tried_hub: RunningHub) -> None:
    with tried_hub.sign_in("ada") as browser:
        for path, status in (
            ("hub/nowhere", 404),
            ("hub/spawn/nobody", 404),
            (f"hub/spawn/ada/{LONG}", 400),
            ("hub/spawn/ada/a%0Ab", 400),
            ("hub/spawn-pending/ada/never", 404),
        ):
            answer = browser.get(path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"].startswith("text/html")
            assert LONG not in answer.text
        refused = tried_hub.post_form(browser, "hub/spawn/ada", profile="nowhere")
        assert refused.status_code == 404
        assert "There is no profile" in refused.text


@pytest.mark.parametrize("content", [b"%zz=%c3&_xsrf", b"\xff\xff", b"username=%00", b"a=1&" * 300, b""])
def test_a_form_that_cannot_be_read_is_refused(tried_hub: RunningHub, content: bytes) -> None:
    with tried_hub.client() as browser:
        browser.get("hub/login")
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert browser.post("hub/login", content=content, headers=kind).status_code in (400, 403)
