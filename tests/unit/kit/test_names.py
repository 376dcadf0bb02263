"""One spelling of a name everywhere, and no name that means more than a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.kit.names import SLUG, fold, is_display_name, is_name, is_server_name, user_name
from apphub.kit.urls import segment


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Ada", "ada"),
        ("ADA", "ada"),
        ("ａｄａ", "ada"),
        ("Straße", "strasse"),
        ("ﬁona", "fiona"),
        ("Ⅳ", "iv"),
        ("ada@Uni.Example", "ada@uni.example"),
        ("e\u0301va", "éva"),
        ("ſ", "s"),
        ("K", "k"),  # the sign of the kelvin
    ],
)
def test_spellings_of_one_name_fold_to_one(written: str, folded: str) -> None:
    assert user_name(written) == folded


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        " ada",
        "ada ",
        "\u00a0ada",
        "a/b",
        "a／b",  # folds to a slash
        "．．",  # folds to two dots
        ".",
        "..",
        "a\nb",
        "a\x00b",
        "a\x1bb",
        "a\u200bb",  # zero width
        "a\u202eb",  # turns the text around
        "a\u2028b",
        "\ud800",
        "\ue000",
        "x" * 256,
    ],
)
def test_what_cannot_be_read_on_a_page_or_leads_out_of_a_path_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a user name"):
        user_name(name)


@settings(max_examples=2000, deadline=None)
@given(st.text(max_size=20))
def test_folding_twice_is_folding_once_so_that_every_door_means_the_same_person(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert fold(text.upper()) == fold(once.upper()) or not text.isascii()


def test_no_single_character_folds_differently_the_second_time() -> None:
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000:
            once = fold(chr(code))
            assert fold(once) == once, hex(code)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=20))
def test_a_name_that_is_taken_is_one_segment_that_no_proxy_changes(text: str) -> None:
    try:
        name = user_name(text)
    except ValueError:
        return
    assert is_name(name)
    assert segment(name) not in ("", ".", "..")
    assert unicodedata.category(name[0]) not in ("Cc", "Cf", "Zs")


@pytest.mark.parametrize("name", ["a", "lab", "lab-2", "a" * 30, "x1-y2-z3"])
def test_a_label_of_dns_that_starts_with_a_letter_names_a_server(name: str) -> None:
    assert is_server_name(name)


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a b", "ä", "a\n", "a" * 31, "../a", "a/b"]
)
def test_anything_else_names_no_server(name: str) -> None:
    assert not is_server_name(name)


def test_a_display_name_is_one_readable_line() -> None:
    assert is_display_name("")
    assert is_display_name("My lab (2) – naïve")
    for bad in ("a\nb", " a", "a ", "a  b", "a\u202eb", "x" * 256):
        assert not is_display_name(bad)


def test_a_slug_fits_whole_and_not_only_its_first_line() -> None:
    assert SLUG.fullmatch("profile_1_slug")
    for bad in ("a\n", "a\nb", "-a", "a/", "A", ""):
        assert not SLUG.fullmatch(bad)
