"""Failures are counted by what one visitor cannot change at will."""

from __future__ import annotations

import pytest

from apphub.login.actions import address_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "address:2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("fe80::1%eth0", "address:fe80::/64"),
        (None, "address:unknown"),
        ("", "address:unknown"),
        ("not an address", "address:unknown"),
        ("192.0.2.7, 10.0.0.1", "address:unknown"),
    ],
)
def test_an_address_counts_whole_and_of_ipv6_the_network_that_one_visitor_gets(
    address: str | None, key: str
) -> None:
    assert address_key(address) == key
