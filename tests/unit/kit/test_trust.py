"""Certificates of hubs and edges: derived, so the same everywhere; and an edge can be nothing but an edge."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from apphub.kit.secrets import Keys
from apphub.kit.trust import EDGE, HUB, LIFE, SKEW, Authority, EdgeKey, hubs

KEYS, OTHERS = Keys(b"a key of thirty-two bytes, or so!"), Keys(b"another key of thirty-two bytes!!")
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def signed_by(papers: str, authority: Authority) -> bool:
    try:
        certificate(papers).verify_directly_issued_by(certificate(authority.certificate))
    except (InvalidSignature, ValueError):
        return False
    return True


def test_the_same_key_makes_the_same_authorities_byte_for_byte() -> None:
    assert hubs(KEYS).certificate == hubs(Keys(b"a key of thirty-two bytes, or so!")).certificate
    assert EdgeKey.of(KEYS, "{}").text() == EdgeKey.of(KEYS, "{}").text()
    assert hubs(KEYS).certificate != hubs(OTHERS).certificate


def test_hubs_and_edges_are_signed_by_authorities_of_their_own() -> None:
    edges = EdgeKey.of(KEYS, "{}").edges
    hub, edge = hubs(KEYS).issue(HUB, NOW).certificate, edges.issue(EDGE, NOW).certificate
    assert signed_by(hub, hubs(KEYS))
    assert signed_by(edge, edges)
    for papers, authority in ((hub, edges), (edge, hubs(KEYS)), (hub, hubs(OTHERS))):
        assert not signed_by(papers, authority)


def test_papers_count_for_a_week_and_a_little_before_now_and_sign_nobody() -> None:
    papers = hubs(KEYS).issue(HUB, NOW)
    found = certificate(papers.certificate)
    assert (found.not_valid_before_utc, found.not_valid_after_utc) == (NOW - SKEW, NOW + LIFE)
    assert timedelta(days=7) == LIFE
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert hubs(KEYS).issue(HUB, NOW) != papers  # a key of its own each time


def test_an_edge_key_says_nothing_from_which_other_secrets_follow() -> None:
    text = EdgeKey.of(KEYS, '{"keys": []}').text()
    for purpose in ("hubs", "pass-key", "hub-id", "same-key"):
        assert KEYS.derive(purpose) not in text
    assert "PRIVATE" not in text
    read = EdgeKey.parse(text)
    assert read == EdgeKey.of(KEYS, '{"keys": []}')
    assert read.edges.certificate == EdgeKey.of(KEYS, "{}").edges.certificate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "ab" * 32,
        json.dumps({"secret": "ab", "hubs": "no certificate", "passes": "{}"}),
        json.dumps({"secret": "no number", "hubs": hubs(KEYS).certificate, "passes": "{}"}),
        json.dumps({"secret": "ab", "hubs": hubs(KEYS).certificate, "passes": "{}", "more": 1}),
    ],
)
def test_what_is_no_edge_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        EdgeKey.parse(text)
