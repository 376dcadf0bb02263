"""Keep foreign pages from acting with a visitor's cookie.

An unsafe request that a cookie proves must come from our own pages (`Origin` and
`Sec-Fetch-Site`, where the browser sends them) *and* carry the value of the `_xsrf` cookie
in a header, the query or the form. The value is made for one sign-in: a cookie tossed by
somebody else does not fit.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from apphub.errors import Forbidden
from apphub.kit.secrets import Keys, same

HEADER = "x-xsrftoken"


class Forged(Forbidden):
    """The request may not be what the visitor wanted."""


def mint(keys: Keys, session: str) -> str:
    """A value for this sign-in (its public id), or for nobody (`""`)."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{keys.derive('xsrf', nonce, session)[:32]}"


def fits(keys: Keys, session: str, value: str) -> bool:
    """Whether the value was made for this sign-in."""
    nonce, dot, mark = value.partition(".")
    return bool(dot) and len(value) < 100 and same(keys.derive("xsrf", nonce, session)[:32], mark)


def check_origin(origin: str | None, fetch_site: str | None, own: Collection[str]) -> None:
    """Raise `Forged` for a request that the browser says another site's page made."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        raise Forged("This request came from a page of another site.")
    if origin is not None and origin.lower() not in own:
        raise Forged("This request came from a page of another site.")


def check(keys: Keys, session: str, cookie: str | None, given: str | None) -> None:
    """Raise `Forged` unless the value given is the cookie's, and the cookie is this sign-in's."""
    if not given:
        raise Forged("'_xsrf' argument missing.", "Load the page again.")
    if not cookie or not same(cookie, given) or not fits(keys, session, given):
        raise Forged("XSRF cookie does not match the argument.", "Load the page again.")
