"""Requests with an `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header): done once.

Sent again by the same caller to the same address with the same body, a request is answered as
the first was. The caller's rights are asked each time all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from litestar import Response

from apphub.errors import Invalid
from apphub.idempotency import Answered, Asked
from apphub.web.json import Answer
from apphub.web.request import HubRequest

HEADER = b"idempotency-key"

Handler = Callable[[HubRequest], Awaitable[Response[bytes]]]


async def key_of(request: HubRequest) -> Asked | None:
    """The request as its key names it; None for one without a key. Raises `Invalid`."""
    header = request.header(HEADER)
    if header is None:
        return None
    actor = request.actor
    what = f"{request.method} {request.scope['path']}"
    return Asked.of(header, who=f"{actor.kind} {actor.id}", what=what, body=await request.body())


def again(answered: Answered) -> Response[bytes]:
    """The answer that was kept."""
    return Answer(answered.body.encode(), answered.status)


def kept(response: Response[bytes]) -> Answered:
    """The answer to keep."""
    return Answered(response.status_code or 200, response.content.decode())


def no_key(request: HubRequest) -> None:
    """Refuse a key where the answer holds a secret, which is not kept."""
    if request.header(HEADER) is not None:
        raise Invalid(
            "Idempotency-Key is not taken here: the answer holds a secret, which the hub does not keep.",
            "Leave it out. A token whose answer was lost can be revoked, and another made.",
        )


def once(handler: Handler) -> Handler:
    """A handler whose whole work is one transaction: with a key, done and noted as one."""

    @functools.wraps(handler)
    async def done(request: HubRequest) -> Response[bytes]:
        asked = await key_of(request)
        if asked is None:
            return await handler(request)
        keeping = request.hub.keeping
        if (earlier := await keeping.earlier(asked)) is not None:
            return again(earlier)

        async def do() -> Answered:
            return kept(await handler(request))

        return again(await keeping.once(asked, do))

    return done
