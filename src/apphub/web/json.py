"""JSON answers, encoded once."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from litestar.enums import MediaType

_ENCODER = msgspec.json.Encoder()


def answer(value: Any, status: int = 200) -> Response[bytes]:
    """A JSON answer."""
    return Response(_ENCODER.encode(value), status_code=status, media_type=MediaType.JSON)


def empty(status: int = 200) -> Response[bytes]:
    """An answer without a body."""
    return Response(b"", status_code=status, media_type=MediaType.JSON)
