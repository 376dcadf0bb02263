"""The public certificate: read from its files, checked, handed to Envoy in a file it watches.

Files are replaced in many ways (renamed, written in place, links turned), chain and key not
at the same instant, and Envoy notices only some of them. So the hub looks every second, and
passes on a pair only when it fits together; until then the last good one stays in use.
"""

from __future__ import annotations

import hashlib
import ssl

import structlog

from apphub.errors import Invalid
from apphub.kit.files import write_private
from apphub.proxy.envoy.bootstrap import Edge, TlsFiles, secret
from apphub.proxy.envoy.rundir import private_directory

log = structlog.get_logger(__name__)


class CertificateUnusable(Invalid):
    """The certificate and its key cannot be used."""


class Certificate:
    """Keeps the SDS file of one edge as new as the certificate's files."""

    def __init__(self, edge: Edge) -> None:
        self._files = edge.tls
        self._target = edge.secret_file
        self._seen = ""

    def prepare(self) -> None:
        """Write the SDS file, if there is a certificate; raises `CertificateUnusable`."""
        if self._files is None:
            return
        private_directory(self._target.parent)
        self._seen = _digest(self._files)
        self._pass_on(self._files)

    def refresh(self) -> None:
        """Pass on files that changed; one that cannot be used is logged, and the last good one stays."""
        if self._files is None:
            return
        try:
            digest = _digest(self._files)
            if digest == self._seen:
                return
            self._seen = digest
            self._pass_on(self._files)
            log.info("certificate_renewed", file=str(self._files.certificate))
        except (CertificateUnusable, OSError) as error:
            log.warning("certificate_unusable", error=str(error))

    def _pass_on(self, files: TlsFiles) -> None:
        check(files)
        content = secret(files.certificate.read_text(), files.key.absolute())
        # The same text again must be no event: the hub may be restarted often.
        if not self._target.exists() or self._target.read_bytes() != content:
            write_private(self._target, content)


def check(files: TlsFiles) -> None:
    """Raise `CertificateUnusable` unless both files can be read and belong together."""
    advice = "Set `tls` to PEM files: the certificate with its chain, and its private key without a password."
    try:
        # OpenSSL would not say which file is missing, and would ask for a password on the terminal.
        files.certificate.read_text()
        files.key.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise CertificateUnusable(
            f"The certificate {files.certificate} with the key {files.key} cannot be used: {reason}.", advice
        ) from error
    except (OSError, UnicodeError) as error:
        raise CertificateUnusable(f"The certificate or its key cannot be read: {error}.", advice) from error


def _digest(files: TlsFiles) -> str:
    try:
        return hashlib.sha256(files.certificate.read_bytes() + b"\0" + files.key.read_bytes()).hexdigest()
    except OSError as error:
        return str(error)
