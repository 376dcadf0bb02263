"""What an operation takes and answers, said beside its handler: `opt=says({200: UserModel})`.

The document of the API is made from this and from what the route itself knows (path, method,
guard, docstring), so that there is no second place to forget. A law test refuses a route of
the API that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from litestar.handlers.base import BaseRouteHandler
from msgspec import Struct

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
HTML = "text/html"


class Query(Struct, frozen=True):
    """A parameter in the query of an address; `kind` is a type as msgspec knows them."""

    name: str
    kind: Any
    about: str


class Says(Struct, frozen=True):
    """What an operation takes and answers.

    An answer is the type of its JSON, `Events` of such a type, a media type (text) where it is
    no JSON, or None where it has no body. `refuses` names only what does not follow from the route: whoever takes a
    body may find it wrong (400), too slow (408) or too large (413), a path may lead nowhere (404), and what
    needs a right refuses others (403).
    """

    answers: Mapping[int, Any]
    takes: Any = None
    media: str = JSON
    query: Sequence[Query] = ()
    refuses: Sequence[int] = ()
    #: Whether it takes an `Idempotency-Key`.
    keyed: bool = False


class Events(Struct, frozen=True):
    """Server-sent events (WHATWG HTML, section 9.2), each with data of a type."""

    kind: Any


class _Opt(TypedDict):
    says: Says


def says(
    answers: Mapping[int, Any],
    *,
    takes: Any = None,
    media: str = JSON,
    query: Sequence[Query] = (),
    refuses: Sequence[int] = (),
    keyed: bool = False,
) -> _Opt:
    """For `opt` of a route."""
    return {"says": Says(answers, takes, media, query, refuses, keyed)}


def said(handler: BaseRouteHandler) -> Says | None:
    """What a route says of itself."""
    found = handler.opt.get("says")
    return found if isinstance(found, Says) else None
