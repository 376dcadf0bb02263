"""Where a `next=` may lead: to a path of this host, whatever tricks it is written with."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.kit.urls import Urls, local_path, segment

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "/\x0b/evil.example",
    "/ /evil.example",
    "http://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "HTTPS://evil.example/hub",
    "http://hub.example@evil.example/",
    "//hub.example@evil.example/",
    "//evil.example\\@hub.example",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "hub/home",
    "./hub",
    "../hub",
    "?next=//evil.example",
    "#fragment",
    "",
    "/" + "a" * 5000,
    "/hub/home\r\nset-cookie: x=1",
    "/hub/home\x7f",
    "/hub\\..\\..\\evil",
]
HERE = {
    "/": "/",
    "/hub/home": "/hub/home",
    "/user/ada/lab/?token=1#part": "/user/ada/lab/?token=1#part",
    "/%5cevil.example": "/%5cevil.example",
    "/%2f/evil.example": "/%2f/evil.example",
    "/%2F%2Fevil.example": "/%2F%2Fevil.example",
    "/user/a%20b/": "/user/a%20b/",
    "/ü": "/%C3%BC",
    "/hub/home?next=//evil.example": "/hub/home?next=//evil.example",
    "/a//b": "/a//b",
    "/@evil.example": "/@evil.example",
    "/:80@evil.example": "/:80@evil.example",
}


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_could_lead_elsewhere_is_refused(text: str) -> None:
    assert local_path(text) is None


@pytest.mark.parametrize(("text", "path"), HERE.items())
def test_a_path_of_this_host_is_let_through(text: str, path: str) -> None:
    assert local_path(text) == path


def test_nothing_leads_nowhere() -> None:
    assert local_path(None) is None


def _browser_host(location: str) -> str:
    """Where a browser ends up: it drops tabs and line ends, and takes a backslash for a slash (WHATWG URL)."""
    cleaned = location.strip("".join(map(chr, range(0x21)))).translate({9: None, 10: None, 13: None})
    return urlsplit(urljoin("https://hub.example/hub/login", cleaned.replace("\\", "/"))).netloc


_TRICKS = st.text(alphabet="/\\:@%?#.;&=\t\n\r\x00\x0b \x7f5cCfF2ehttps", max_size=24)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(_TRICKS, _TRICKS.map("/".__add__), st.text(max_size=40)))
def test_whatever_is_let_through_stays_on_this_host_and_can_stand_in_a_header(text: str) -> None:
    path = local_path(text)
    if path is None:
        return
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert _browser_host(path) == "hub.example"
    assert not any(ord(char) < 0x21 or ord(char) == 0x7F for char in path)
    assert local_path(path) == path


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_a_name_is_one_segment_of_a_path_whatever_is_in_it(name: str) -> None:
    assert "/" not in segment(name)
    assert "\\" not in segment(name)
    assert all(0x20 < ord(char) < 0x7F for char in segment(name))


def test_addresses_carry_the_base_and_keep_names_apart() -> None:
    urls = Urls("/apps/", "http://127.0.0.1:8081", "https://hub.example")
    assert urls.server("a/b", "") == "/apps/user/a%2Fb/"
    assert urls.server("a", "b") == "/apps/user/a/b/"
    assert urls.server("ada@uni.example", "lab") == "/apps/user/ada@uni.example/lab/"
    assert urls.server_api == "http://127.0.0.1:8081/apps/hub/api"
    assert urls.progress("ada", "") == "/apps/hub/api/users/ada/server/progress"
    assert urls.progress("ada", "lab") == "/apps/hub/api/users/ada/servers/lab/progress"
    assert urls.page("spawn", "ada", "lab") == "/apps/hub/spawn/ada/lab"
