"""A foreign page cannot act with a visitor's cookie: the value must be this sign-in's, and come from our pages."""

from __future__ import annotations

import pytest

from apphub.kit.secrets import Keys
from apphub.web import xsrf
from apphub.web.xsrf import Forged

KEYS = Keys(b"k" * 32)
OWN = frozenset({"https://hub.example"})


def test_the_value_of_this_sign_in_given_twice_is_let_through() -> None:
    value = xsrf.mint(KEYS, "session")
    xsrf.check(KEYS, "session", value, value)
    assert xsrf.fits(KEYS, "session", value)


def test_each_value_is_made_anew() -> None:
    assert xsrf.mint(KEYS, "session") != xsrf.mint(KEYS, "session")


@pytest.mark.parametrize(
    ("cookie", "given"),
    [
        (None, None),
        (None, xsrf.mint(KEYS, "session")),
        (xsrf.mint(KEYS, "session"), None),
        (xsrf.mint(KEYS, "session"), ""),
        (xsrf.mint(KEYS, "session"), xsrf.mint(KEYS, "session")),  # both ours, but not the same
        (xsrf.mint(KEYS, "other"), xsrf.mint(KEYS, "other")),
        (xsrf.mint(Keys(b"l" * 32), "session"),) * 2,
        (xsrf.mint(KEYS, ""),) * 2,  # made before signing in
        ("tossed",) * 2,
        (".",) * 2,
        ("x.y",) * 2,
        ("é.é",) * 2,
        ("x" * 10_000,) * 2,
    ],
    ids=str.split(
        "nothing no-cookie nothing-given given-empty two another's foreign early tossed dot x y long"
    ),
)
def test_what_is_absent_forged_or_another_sign_ins_is_refused(cookie: str | None, given: str | None) -> None:
    with pytest.raises(Forged):
        xsrf.check(KEYS, "session", cookie, given)


def test_any_change_of_the_value_is_noticed() -> None:
    value = xsrf.mint(KEYS, "session")
    for position in range(len(value)):
        changed = value[:position] + ("0" if value[position] != "0" else "1") + value[position + 1 :]
        assert not xsrf.fits(KEYS, "session", changed)
    assert not xsrf.fits(KEYS, "session", value[:-1])
    assert not xsrf.fits(KEYS, "session", value + "0")


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        ("https://hub.example", None),
        ("HTTPS://HUB.EXAMPLE", "same-origin"),
        (None, "none"),
        (None, "same-origin"),
    ],
)
def test_requests_of_our_own_pages_are_let_through(origin: str | None, site: str | None) -> None:
    xsrf.check_origin(origin, site, OWN)


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://evil.example", None),
        ("https://hub.example.evil.example", None),
        ("http://hub.example", None),
        ("https://hub.example:8443", None),
        ("null", None),
        ("", None),
        (None, "cross-site"),
        (None, "same-site"),  # an app of a user on a sibling domain
        ("https://hub.example", "cross-site"),
        (None, "anything-new"),
    ],
)
def test_requests_of_any_other_page_are_refused(origin: str | None, site: str | None) -> None:
    with pytest.raises(Forged):
        xsrf.check_origin(origin, site, OWN)
