"""Random and derived secrets, and how they are kept: only hashed, compared in constant time.

A token of ours is random enough (256 bits) that one SHA-256 is a safe hash and an exact,
indexed look-up. Tokens that came from a JupyterHub are salted hashes of the form
`sha512:rounds:salt:digest`, found by the token's first four characters.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from apphub.kit.files import settle

#: Scheme of our own tokens: hex SHA-256 of the whole token.
SHA256 = "sha256"


def new_token() -> str:
    """A bearer token: 256 random bits, hexadecimal."""
    return secrets.token_hex(32)


def digest(token: str) -> str:
    """The SHA-256 of a random secret, hexadecimal: what the database keeps."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(a: str, b: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())


def verify_jupyterhub_hash(token: str, hashed: str) -> bool:
    """Check a token against JupyterHub's `algorithm:rounds:salt:digest` (docs: database reference)."""
    try:
        algorithm, rounds, salt, expected = hashed.split(":")
        state = hashlib.new(algorithm, salt.encode())
        for _ in range(min(int(rounds), 100_000)):
            state.update(token.encode())
        return same(state.hexdigest(), expected)
    except (ValueError, TypeError):  # no hash at all, or one whose length would have to be said (shake)
        return False


class Keys:
    """Secrets derived from the hub's one key, so that none of them needs to be stored.

    `derive("server", 7, 2)` is the same on every replica and after every restart: a launch
    that is repeated after a crash hands out the very token that the first try did.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the hub's key needs 32 bytes or more")
        self._key = key

    def derive(self, purpose: str, *parts: int | str) -> str:
        """256 bits for this purpose and these parts, hexadecimal."""
        message = "\x00".join([purpose, *map(str, parts)])
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Read the key file, made with mode 0600 when it is missing."""
        return cls(bytes.fromhex(settle(path, secrets.token_hex(32))))
