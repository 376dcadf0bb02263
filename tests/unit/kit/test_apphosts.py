"""Hosts of apps: what they are called, and which addresses lead to one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apphub.kit.apphosts import AppHosts, id_of_label, label
from apphub.kit.urls import Urls

APPS = AppHosts.beside("apps.example.org", "https://hub.example:8443")
URLS = Urls("/", "http://127.0.0.1:8081", "https://hub.example:8443", APPS)
#: RFC 1123, section 2.1; and no `--`, by which encoded names (IDNA) are told.
VALID = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("user", "server", "number", "wanted"),
    [
        ("ada", "lab", 17, "lab-ada-17"),
        ("ada", "", 17, "ada-17"),
        ("Ada Lovelace@x.org", "", 1, "ada-lovelace-x-org-1"),
        ("josé", "", 2, "jose-2"),
        ("日本", "", 3, "app-3"),
        ("xn--bcher-kva", "", 4, "xn-bcher-kva-4"),
        ("7", "", 5, "7-5"),
        ("a" * 255, "lab", 123456, "lab-" + "a" * 52 + "-123456"),
    ],
)
def test_labels_can_be_read(user: str, server: str, number: int, wanted: str) -> None:
    assert label(user, server, number) == wanted


names = st.text(max_size=255)
ids = st.integers(1, 10**18 - 1)


@given(names, names, ids)
def test_every_label_is_valid_and_says_whose_it_is(user: str, server: str, number: int) -> None:
    made = label(user, server, number)
    assert VALID.fullmatch(made), made
    assert id_of_label(made) == number


@given(names, names, ids)
def test_the_origin_of_every_app_leads_back_to_it(user: str, server: str, number: int) -> None:
    origin = APPS.origin(user, server, number)
    assert APPS.server_id(origin.removeprefix("https://").upper()) == number
    assert URLS.app_at(f"{origin}/x?y=%2F#z") == (number, "/x?y=%2F#z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17",
        "-17",
        "lab-",
        "lab-0",
        "lab-017",
        "lab-1x",
        "LAB-1",
        "a--1",
        "lab-1-",
        "é-1",
        "a" * 62 + "-1",
    ],
)
def test_what_is_no_label_names_no_server(text: str) -> None:
    assert id_of_label(text) is None


@pytest.mark.parametrize(
    "host",
    ["x.apps.example.org", "X.Apps.Example.ORG:1", "a.b.apps.example.org.", "x.apps.example.org.:8443"],
)
def test_every_host_below_the_domain_is_of_an_app(host: str) -> None:
    assert APPS.holds(host)


@pytest.mark.parametrize(
    "host",
    ["", "apps.example.org", "xapps.example.org", "hub.example:8443", "x.apps.example.org.uk", "127.0.0.1"],
)
def test_other_hosts_are_not(host: str) -> None:
    assert not APPS.holds(host)
    assert APPS.server_id(host) is None


GOOD = "lab-ada-17.apps.example.org:8443"


@pytest.mark.parametrize(
    "url",
    [
        None, "", GOOD, f"//{GOOD}/", f"http://{GOOD}/", f"HTTPS://{GOOD}/", f"https://{GOOD}", f"https:{GOOD}/",
        "https://lab-ada-17.apps.example.org/", f"https://{GOOD}0/", f"https://x@{GOOD}/", f"https://{GOOD}@x/",
        f"https://{GOOD}.evil.example/", f"https://evil.example/{GOOD}/", f"https://evil.example\\@{GOOD}/",
        f"https://evil.example#.{GOOD}/", f"https://evil.example?.{GOOD}/", f"https://{GOOD}//evil.example",
        f"https://{GOOD}/\\evil.example", f" https://{GOOD}/", f"https://{GOOD}/\r\nset-cookie: x", f"https://a.{GOOD}/",
        "https://hub.example:8443/", "https://lab-ada.apps.example.org:8443/", f"https://{GOOD}/" + "a" * 5000,
    ],
)  # fmt: skip
def test_no_other_address_leads_to_an_app(url: str | None) -> None:
    assert URLS.app_at(url) is None


def test_without_a_domain_no_address_leads_to_an_app_and_cookies_have_plain_names() -> None:
    urls = Urls("/", "http://127.0.0.1:8081", "https://hub.example:8443")
    assert urls.app_at(f"https://{GOOD}/") is None
    assert (urls.cookie_prefix, urls.cookie_path) == ("", "/hub/")


@pytest.mark.parametrize(
    ("public", "base", "origin", "of_hub", "of_apps"),
    [
        ("https://hub.example", "/", "https://ada-1.apps.example.org", "__Host-", "__Host-"),
        ("https://hub.example:443", "/", "https://ada-1.apps.example.org", "__Host-", "__Host-"),
        ("https://hub.example:8443", "/b/", "https://ada-1.apps.example.org:8443", "", "__Host-"),
        ("http://hub.example:8000", "/", "http://ada-1.apps.example.org:8000", "", ""),
        ("http://hub.example:80", "/", "http://ada-1.apps.example.org", "", ""),
    ],
)
def test_apps_are_reached_as_the_hub_is_and_cookies_are_tied_to_hosts_where_that_can_be(
    public: str, base: str, origin: str, of_hub: str, of_apps: str
) -> None:
    apps = AppHosts.beside("apps.example.org", public)
    assert apps.origin("ada", "", 1) == origin
    assert Urls(base, "http://127.0.0.1:1", public, apps).cookie_prefix == of_hub
    assert apps.cookie_prefix == of_apps
