"""A pass as a signed token (RFC 7519, ES256), and the key it is signed with.

The key is derived from the hub's own, so that all replicas sign alike and none has to store
it; edges and apps know its public half only, as a key set (RFC 7517). A pass holds, for the
app, a second token that says who visits: that one is no pass, so an app that learns it
cannot use it to get in anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from msgspec import Struct

from apphub.kit.secrets import Keys
from apphub.kit.trust import derived_key

ISSUER = "apphub"
#: Issuer of the tokens that apps receive: a pass is never taken for one, nor one for a pass.
IDENTITY_ISSUER = "apphub-identity"
#: Issuer of the codes that lead a visitor in at an app's own host.
ENTRY_ISSUER = "apphub-entry"
#: How long (seconds) such a code counts.
ENTRY_LIFE = 60


class Claims(Struct, frozen=True):
    """What a pass says. Few and short: the edge reads all of it at every request."""

    #: The route's guard.
    audience: str
    user: str
    session: str
    epoch: int


class Entry(Struct, frozen=True):
    """What a code says that lets a visitor in at an app's own host."""

    audience: str
    session: str
    #: What the browser must show that it has: the SHA-256 of its nonce, hexadecimal.
    state: str


class Signer:
    """Makes passes and reads them."""

    def __init__(self, keys: Keys) -> None:
        private = derived_key(keys.derive("pass-key"))
        kid = hashlib.sha256(str(private.public_key().public_numbers().x).encode()).hexdigest()[:16]
        self._key = ECKey.import_key(_pem(private), {"kid": kid, "use": "sig", "alg": "ES256"})
        self._header = {"alg": "ES256", "kid": kid}

    def key_set(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [self._key.as_dict(private=False)]}

    def key_set_json(self) -> str:
        """The public keys as text, the same every time."""
        return json.dumps(self.key_set(), sort_keys=True)

    def make(
        self, claims: Claims, *, groups: frozenset[str], url: str, now: datetime, expires: datetime
    ) -> str:
        """A pass, with the identity that the app at `url` is told."""
        times = {"iat": int(now.timestamp()), "exp": int(expires.timestamp())}
        identity = self.identity(claims.user, groups, url, times)
        payload = {
            "iss": ISSUER,
            "aud": claims.audience,
            "sub": header_text(claims.user),
            "sid": claims.session,
            "ep": str(claims.epoch),
            "grp": ",".join(sorted(map(header_text, groups)))[:1000],
            "idt": identity,
            "exp": times["exp"],
        }
        return jwt.encode(self._header, payload, self._key, algorithms=["ES256"])

    def identity(self, user: str, groups: frozenset[str], url: str, times: Mapping[str, int]) -> str:
        """What the app is told of its visitor."""
        payload = {"iss": IDENTITY_ISSUER, "aud": url, "sub": user, "groups": sorted(groups)[:50], **times}
        return jwt.encode(self._header, payload, self._key, algorithms=["ES256"])

    def entry(self, entry: Entry, now: datetime) -> str:
        """A code that lets a visitor in."""
        payload = {
            "iss": ENTRY_ISSUER,
            "aud": entry.audience,
            "sid": entry.session,
            "state": entry.state,
            "exp": int(now.timestamp()) + ENTRY_LIFE,
        }
        return jwt.encode(self._header, payload, self._key, algorithms=["ES256"])

    def read_entry(self, code: str, now: datetime) -> Entry | None:
        """What a code says, if it is one and not over."""
        said = self._said(code, ENTRY_ISSUER)
        try:
            if said is None or int(said["exp"]) < now.timestamp():
                return None
            return Entry(str(said["aud"]), str(said["sid"]), str(said["state"]))
        except (KeyError, ValueError):
            return None

    def _said(self, token: str, issuer: str) -> dict[str, Any] | None:
        """What a token of ours and of this issuer says."""
        if len(token) > 8192:
            return None
        try:
            found: dict[str, Any] = jwt.decode(token, self._key, algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            return None
        return found if found.get("iss") == issuer else None

    def read(self, token: str) -> Claims | None:
        """What a pass says, be it expired or not; None for anything that we did not sign as a pass."""
        said = self._said(token, ISSUER)
        try:
            if said is None:
                return None
            user = unquote(str(said["sub"]))
            return Claims(str(said["aud"]), user, str(said["sid"]), int(said["ep"]))
        except (KeyError, ValueError):
            return None


def header_text(text: str) -> str:
    """A name as a header can hold it: printable ASCII as it is, the rest percent-encoded, commas too."""
    return quote(text, safe=" !#$&'()*+-./:;<=>?@[]^_`{|}~")


def _pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
