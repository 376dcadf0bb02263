"""Under which address failed sign-ins are counted."""

from __future__ import annotations

import pytest

from apphub.login.actions import address_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:db8:0:7::", "2001:db8:0:7:1234::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_all_addresses_that_one_client_may_choose_are_one(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::1", "127.0.0.1"),
    ],
)
def test_different_clients_are_counted_apart(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@pytest.mark.parametrize("junk", [None, "", "somewhere", "192.0.2.1:80", "1" * 5000])
def test_what_is_no_address_is_counted_together(junk: str | None) -> None:
    assert address_key(junk) == "address:unknown"
