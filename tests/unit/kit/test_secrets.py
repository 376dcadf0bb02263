"""Secrets are random, derived or hashed; what was derived once is derived again after a restart."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from apphub.kit.secrets import Keys, digest, new_token, same, verify_jupyterhub_hash


def _jupyterhub_hash(token: str, rounds: int, salt: str) -> str:
    """As its database reference says: the salt, then the token as often as there are rounds, through SHA-512."""
    state = hashlib.sha512(salt.encode())
    for _ in range(rounds):
        state.update(token.encode())
    return f"sha512:{rounds}:{salt}:{state.hexdigest()}"


def test_tokens_are_long_and_never_the_same() -> None:
    made = {new_token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(token) == 64 for token in made)


@pytest.mark.parametrize("rounds", [1, 2, 1000])
def test_a_hash_that_came_from_a_jupyterhub_is_verified(rounds: int) -> None:
    hashed = _jupyterhub_hash("4e7a0c1d2b3f", rounds, "00ff00ff00ff00ff")
    assert verify_jupyterhub_hash("4e7a0c1d2b3f", hashed)
    assert not verify_jupyterhub_hash("4e7a0c1d2b3e", hashed)
    assert not verify_jupyterhub_hash("", hashed)


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "sha512:1:ff",
        "nothing:1:ff:00",
        "sha512:x:ff:00",
        "sha512:1:ff:00:00",
        "sha512:-1:ff:",
        "sha512:1:ff:é",
        "shake_128:1:ff:00",
    ],
)
def test_a_hash_that_is_none_verifies_nothing(hashed: str) -> None:
    assert not verify_jupyterhub_hash("token", hashed)


def test_a_hash_cannot_ask_for_endless_work() -> None:
    assert not verify_jupyterhub_hash("t", "sha512:999999999999:ff:00")


def test_what_is_derived_depends_on_every_part_and_on_nothing_else() -> None:
    keys = Keys(b"k" * 32)
    assert keys.derive("server", 1, 2) == Keys(b"k" * 32).derive("server", 1, 2)
    different = {
        keys.derive("server", 1, 2),
        keys.derive("server", 12),
        keys.derive("server", 1, 3),
        keys.derive("other", 1, 2),
        Keys(b"l" * 32).derive("server", 1, 2),
    }
    assert len(different) == 5


def test_the_key_is_made_once_kept_closed_to_others_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    first = Keys.load(file).derive("x")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keys.load(file).derive("x") == first
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(b"short")


def test_secrets_are_compared_whatever_characters_they_hold() -> None:
    assert same("naïve", "naïve")
    assert not same("naïve", "naive")
    assert not same("", "x")
    assert digest("x") == hashlib.sha256(b"x").hexdigest()
