"""Strange paths, methods and heads: what the edge cannot read in one way only gets past nobody.

A real hub, a real Envoy, and an app that tells what reached it.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from guarding import COOKIE, Line, echoing, pass_of, signed_in, start

from hubs import RunningHub

LAB = "/user/ada/lab/"


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = echoing(identity_headers={"user": "X-Who"})
    with RunningHub(config) as hub:
        for user in ("ada", "bob"):
            start(hub, user, "lab")
        yield hub


@pytest.fixture(scope="module")
def ada(hub: RunningHub) -> Iterator[httpx.Client]:
    with signed_in(hub, "ada", LAB) as browser:
        yield browser


@pytest.fixture(scope="module")
def bob(hub: RunningHub) -> Iterator[httpx.Client]:
    with signed_in(hub, "bob", "/user/bob/lab/") as browser:
        yield browser


PATHS = (
    "/user/ada/lab/", "/user/ada/lab/x/../y", "/user/ada/lab//", "/user/ada/lab//x", "/user/ada/lab/%2e%2e/lab/",
    "/user/bob/lab/../../ada/lab/", "/user/bob/lab/..%2f..%2fada/lab/", "/user/bob/lab/%2e%2e/%2e%2e/ada/lab/",
    "/user/bob/lab/..\\..\\ada\\lab\\", "/user/ada\\lab/", "/user/ada/lab;x", "/user/ada;/lab/", "/user;x/ada/lab/",
    "/user/ada/lab/;/../x", "/USER/ADA/LAB/", "/User/ada/lab/", "/user/ADA/lab/", "//user/ada/lab/",
    "/user//ada/lab/", "/user/ada//lab/", "/./user/ada/lab/", "/user/./ada/lab/", "/user/%61da/lab/",
    "/%75ser/ada/lab/", "/user/ada/%6cab/", "/user/ada%2flab/", "/user%2fada/lab/", "/user/ada/lab%2f",
    "/user/ada/lab", "/user/ada", "/user/ada/", "/user/ada/lab?x", "/user/ada/lab%00/", "/user/ada/lab/%00",
    "/hub/../user/ada/lab/", "/hub/%2e%2e/user/ada/lab/", "/hub/edge/check/user/ada/lab/",
    "/hub/edge/../edge/check/user/ada/lab/", "/hub//edge/check/user/ada/lab/", "/hub/edge/used/server-1",
    "/hub/edge/check", "/hub/edge/output/1/1", "/user/ada/lab/?a=/../..", "/services/../user/ada/lab/", "/user/ada/lab/#/x", "*",
    "http://elsewhere.example/user/ada/lab/", "/user/ada/lab/%ff%fe", "/user/ada/lab/" + "x" * 9000,
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "PUT", "CONNECT", "BREW"])
def test_no_path_and_no_method_leads_past_the_guard(hub: RunningHub, ada: httpx.Client, method: str) -> None:
    """Without a pass, and with one of somebody who may visit another app only."""
    for path in PATHS:
        with Line(hub) as line:
            line.say(f"{method} {path} HTTP/1.1\r\nHost: {hub.address}\r\nConnection: close\r\n\r\n")
            if method == "HEAD":
                status = int((line.first_line() or "HTTP/1.1 0 ").split()[1])
            else:
                status = line.status()
        assert status != 200 or path.startswith("/hub"), (method, path, status)
        assert status < 500 or status == 501, (method, path, status)
        if method != "HEAD" and status:
            assert b'"headers"' not in line.body, (method, path)


def test_a_pass_for_one_app_leads_to_no_other_by_any_path(hub: RunningHub, bob: httpx.Client) -> None:
    """The edge and the app behind it must mean the same by a path, or bob's pass would open ada's app."""
    theirs = pass_of(bob, "/user/bob/lab/")
    for path in PATHS:
        with Line(hub) as line:
            line.say(
                f"GET {path} HTTP/1.1\r\nHost: {hub.address}\r\nConnection: close\r\n"
                f"Cookie: {COOKIE}={theirs}\r\n\r\n"
            )
            status = line.status()
        assert status < 500, (path, status)
        if status == 200 and b'"headers"' in line.body:
            assert b'"/user/bob/lab/' in line.body, (path, line.body)
            assert b'["x-who", "bob"]' in line.body


SMUGGLED = {
    "both lengths": "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "two lengths": "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "two equal lengths": "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "list of lengths": "Content-Length: 3, 3\r\n\r\nabc",
    "negative length": "Content-Length: -1\r\n\r\n",
    "signed length": "Content-Length: +3\r\n\r\nabc",
    "hexadecimal length": "Content-Length: 0x3\r\n\r\nabc",
    "twice encoded": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "strange encoding": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "encoding with a space": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "encoding with a tab": "Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n\r\nabc",
    "folded header": "X-A: one\r\n two\r\n\r\n",
    "folded pass": f"Cookie:\r\n {COOKIE}=x\r\n\r\n",
    "bare line feeds": "X-A: one\nX-Who: root\n\n",
    "zero byte": "X-A: a\0b\r\n\r\n",
    "bad chunk size": "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "chunk size too large": "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "no colon": "nonsense\r\n\r\n",
    "name with a space": "X Who: root\r\n\r\n",
    "empty name": ": root\r\n\r\n",
    "upgrade to h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
}
#: What would be a request of its own, were the one before it cut elsewhere.
_INNER = "GET /user/ada/lab/smuggled HTTP/1.1\r\nHost: x\r\nX-Who: root\r\n\r\n"


@pytest.mark.parametrize("way", SMUGGLED)
@pytest.mark.parametrize("who", ["nobody", "ada"])
def test_no_request_hides_in_another(hub: RunningHub, ada: httpx.Client, way: str, who: str) -> None:
    """What follows a strange head is refused with it, or is a request like any other: guarded."""
    held = f"Cookie: {COOKIE}={pass_of(ada, LAB)}\r\n" if who == "ada" else ""
    with Line(hub) as line:
        line.say(f"POST {LAB}outer HTTP/1.1\r\nHost: {hub.address}\r\n{held}{SMUGGLED[way]}{_INNER}")
        statuses = []
        while len(statuses) < 3 and (status := line.status()):
            statuses.append(status)
            assert status < 500 or status == 501, (way, statuses)
            assert b"smuggled" not in line.body, (way, line.body)
            if len(statuses) == 2 or status == 400:
                break
    assert who == "ada" or 200 not in statuses
    assert ada.get(LAB).status_code == 200


def test_huge_headers_are_refused_in_words(hub: RunningHub, ada: httpx.Client) -> None:
    for held in ("", f"Cookie: {COOKIE}={pass_of(ada, LAB)}\r\n"):
        for more in ("X-A: " + "x" * 200_000, "\r\n".join(f"X-{i}: x" for i in range(300))):
            with Line(hub) as line:
                line.say(f"GET {LAB} HTTP/1.1\r\nHost: {hub.address}\r\n{held}{more}\r\n\r\n")
                assert line.status() in (431, 0)
    # As large as the edge takes them, without a pass: the question to the hub is as large.
    for size in (8_000, 30_000, 60_000, 100_000):
        with hub.client() as client:
            answer = client.get(LAB, headers={"cookie": f"{COOKIE}={'x' * size}"})
            assert answer.status_code in (302, 401, 431), (size, answer.status_code)
            answer = client.get(LAB, headers={"authorization": f"Bearer {'x' * size}"})
            assert answer.status_code in (302, 401, 431), (size, answer.status_code)
