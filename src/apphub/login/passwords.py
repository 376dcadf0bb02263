"""Password hashes (argon2id), computed in a few threads so that sign-ins never stop the event loop."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Longest password, in characters: what is hashed is bounded.
LONGEST = 1024


class Passwords:
    """Hash and verify; at most `threads` at a time, the rest waits its turn."""

    def __init__(self, threads: int = 2) -> None:
        self._hasher = PasswordHasher()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        # What a name that does not exist is checked against, so that it takes as long.
        self._nobody = _no_hash(self._hasher)

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._hasher.hash, password)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed; takes as long without a hash."""
        if len(password) > LONGEST:
            return False
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._pool, self._verify, hashed or self._nobody, password)
        return right and bool(hashed)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _no_hash(hasher: PasswordHasher) -> str:
    """What looks like a hash of this hasher and is of no password: to make one takes a quarter of a second."""
    salt, digest = (
        b64encode(os.urandom(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
