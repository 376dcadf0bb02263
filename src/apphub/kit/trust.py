"""Which machine is a hub's and which an edge's: certificates for mutual TLS, derived from the hub's one key.

Two authorities: one signs hubs, the other edges. Their keys are derived, so nobody has to store
or hand round certificates; those of hubs and edges are made when one starts and live for a
week. An edge holds an *edge key*: with it it can sign itself, and tell a hub from everybody
else. It cannot be a hub, nor make a pass, nor a token of a server, which the hub's own key can.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct
from msgspec.structs import asdict

from apphub.kit.secrets import Keys

#: The names in the certificates: what somebody is, not where. Hubs are also asked for by the second, for routes.
HUB, HUB_ROUTES, EDGE = "hub.apphub.internal", "routes.apphub.internal", "edge.apphub.internal"
#: How long a certificate counts, and after how long it is replaced.
LIFE, RENEWED_AFTER = timedelta(days=7), timedelta(days=1)
#: Clocks of machines may differ by this much.
SKEW = timedelta(hours=1)
#: Order of the curve P-256 (FIPS 186-5): private keys are below it.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BEGIN, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)


def derived_key(secret: str) -> ec.EllipticCurvePrivateKey:
    """The private key (P-256) that belongs to a derived secret of 256 bits, hexadecimal."""
    return ec.derive_private_key(int(secret, 16) % (_ORDER - 1) + 1, ec.SECP256R1())


class Papers(Struct, frozen=True):
    """What somebody shows, as PEM: a certificate and its private key."""

    certificate: str
    key: str


def client_context(trusted: str, papers: Path) -> ssl.SSLContext:
    """TLS 1.3 for requests of our own: to nobody but whom `trusted` (PEM) signs, showing the papers in the file."""
    context = ssl.create_default_context(cadata=trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(papers)
    return context


class Authority:
    """Signs hubs, or edges. The same secret makes the same authority, byte for byte."""

    def __init__(self, secret: str, name: str) -> None:
        self._key = derived_key(secret)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"apphub: {name}")])
        self._spki = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        serial = int.from_bytes(hashlib.sha256(self._spki.digest).digest()[:16]) | 1
        builder = (
            self._builder(self._name, self._key.public_key(), serial, _BEGIN, _END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
        )
        self._certificate = builder.sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)

    @property
    def certificate(self) -> str:
        """What to trust, as PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, now: datetime, life: timedelta = LIFE) -> Papers:
        """New papers for whoever is called so, with a key of their own."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(subject, key.public_key(), x509.random_serial_number(), now - SKEW, now + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Papers(certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, begin: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._spki), critical=False
            )
        )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def hubs(keys: Keys) -> Authority:
    """Who signs hubs."""
    return Authority(keys.derive("hubs"), "hubs")


class EdgeKey(Struct, frozen=True):
    """All that an edge needs to know, and to keep secret."""

    #: The secret of the authority that signs edges, hexadecimal.
    secret: str
    #: The certificate of the one that signs hubs, PEM.
    hubs: str
    #: Public keys of passes: a JSON Web Key Set (RFC 7517).
    passes: str

    @classmethod
    def of(cls, keys: Keys, passes: str) -> EdgeKey:
        """Of a hub's own key: the same every time."""
        return cls(keys.derive("edges"), hubs(keys).certificate, passes)

    @property
    def edges(self) -> Authority:
        """Who signs edges."""
        return Authority(self.secret, "edges")

    def text(self) -> str:
        """As a file holds it."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def parse(cls, text: str) -> EdgeKey:
        """Read the file. Raises ValueError for anything else."""
        found = json.loads(text)
        if not isinstance(found, dict) or found.keys() != {"secret", "hubs", "passes"}:
            raise ValueError("it is no edge key")
        key = cls(**{name: str(value) for name, value in found.items()})
        x509.load_pem_x509_certificate(key.hubs.encode())
        int(key.secret, 16)
        return key
