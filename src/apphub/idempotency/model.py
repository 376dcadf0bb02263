"""A request with a key, as values (IETF draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import NamedTuple

from apphub.errors import Conflict, HubError, Invalid

#: How long an answer is kept.
KEPT = timedelta(hours=24)
_KEY = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")


class UnderWay(Conflict):
    """The first request with this key has not been answered yet."""

    def __init__(self) -> None:
        super().__init__(
            "The first request with this Idempotency-Key is still under way.", "Send it again in a moment."
        )


class OtherRequest(HubError):
    """The key was used for something else."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used with another body.", "Make a new key for a new request."
        )


class Asked(NamedTuple):
    """What tells one request from others, as digests: neither key nor body is kept."""

    digest: str
    body: str

    @classmethod
    def of(cls, header: str, *, who: str, what: str, body: bytes) -> Asked:
        """From the header, who asks (`user 7`), method and path, and the body. Raises `Invalid`."""
        key = header.strip()
        if len(key) >= 2 and key[0] == key[-1] == '"':
            key = key[1:-1]
        if not _KEY.fullmatch(key):
            raise Invalid(
                "Idempotency-Key must have 1 to 255 printable characters without spaces, quotes and "
                'backslashes, in double quotes or without: "8e03978e-40d5-43e8-bc93-6894a57f9324".'
            )
        digest = hashlib.sha256("\n".join((who, what, key)).encode()).hexdigest()
        return cls(digest, hashlib.sha256(body).hexdigest())


class Answered(NamedTuple):
    """How it was answered; the body is JSON, or empty."""

    status: int
    body: str
