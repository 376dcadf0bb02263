"""TLS at the edge: certificates that change, and those that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from envoy_rig import Backend, a_control, an_edge, short_directory, supervised
from structlog.testing import capture_logs

from apphub.kit.addresses import Address
from apphub.proxy.envoy.bootstrap import Edge, TlsFiles
from apphub.proxy.envoy.certificate import CertificateUnusable
from apphub.proxy.envoy.process import EnvoyProcess


def _certificate(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


async def _served(address: Address, alpn: list[str]) -> tuple[str, str | None]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(alpn)
    _, writer = await asyncio.open_connection(address.ip, address.port, ssl=context)
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    protocol = tls.selected_alpn_protocol()
    writer.transport.abort()
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), protocol


@contextlib.asynccontextmanager
async def _with_tls(folder: Path) -> AsyncIterator[tuple[Edge, TlsFiles]]:
    files = TlsFiles(folder / "cert.pem", folder / "key.pem")
    _write(files, *_certificate("first"))
    edge = an_edge(folder, tls=files)
    hub = await Backend("hub").listen_on(edge.meeting.hub(1))
    control = a_control(edge.meeting.control(1))
    await control.start({})
    envoy = EnvoyProcess(edge)
    await envoy.ensure()
    try:
        async with supervised(envoy):
            yield edge, files
    finally:
        await envoy.drain_and_stop(grace=0)
        await control.close()
        await hub.close()


def _write(files: TlsFiles, certificate: bytes, key: bytes) -> None:
    files.certificate.write_bytes(certificate)
    files.key.write_bytes(key)


def _rename(files: TlsFiles, certificate: bytes, key: bytes) -> None:
    for path, content in ((files.key, key), (files.certificate, certificate)):
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.rename(path)


@pytest.mark.parametrize("swap", [_write, _rename])
async def test_a_swapped_certificate_is_served_without_a_restart(swap: Any) -> None:
    with short_directory() as folder:
        async with _with_tls(folder) as (edge, files):
            address = edge.bind[0]
            assert await _served(address, ["h2", "http/1.1"]) == ("first", "h2")
            assert await _served(address, ["http/1.1"]) == ("first", "http/1.1")
            swap(files, *_certificate("second"))
            async with asyncio.timeout(5):
                while (await _served(address, ["h2"]))[0] != "second":
                    await asyncio.sleep(0.05)


async def test_a_certificate_that_does_not_fit_its_key_leaves_the_last_good_one_in_use() -> None:
    with short_directory() as folder:
        with capture_logs() as logs:
            async with _with_tls(folder) as (edge, files):
                files.certificate.write_bytes(_certificate("other")[0])
                async with asyncio.timeout(5):
                    while not any(entry["event"] == "certificate_unusable" for entry in logs):
                        await asyncio.sleep(0.05)
                assert (await _served(edge.bind[0], ["h2"]))[0] == "first"
        assert not any("PRIVATE" in str(entry) for entry in logs)


async def test_requests_over_tls_are_forwarded_as_https() -> None:
    with short_directory() as folder:
        async with _with_tls(folder) as (edge, _):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection(*edge.bind[0], ssl=context)
            writer.write(
                b"GET /hub/ HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
            )
            seen = await reader.read()
            assert b"x-forwarded-proto: https\r\n" in seen
            writer.transport.abort()


@pytest.mark.parametrize("wrong", ["missing", "mismatch", "rubbish", "locked"])
async def test_a_certificate_that_cannot_be_used_is_told_at_the_start(wrong: str) -> None:
    with short_directory() as folder:
        files = TlsFiles(folder / "cert.pem", folder / "key.pem")
        certificate, key = _certificate("one")
        if wrong == "mismatch":
            key = _certificate("two")[1]
        if wrong == "rubbish":
            certificate = b"rubbish"
        if wrong == "locked":
            private = serialization.load_pem_private_key(key, None)
            key = private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        if wrong != "missing":
            _write(files, certificate, key)
        with pytest.raises(CertificateUnusable, match=r"cert\.pem"):
            await EnvoyProcess(an_edge(folder, tls=files)).ensure()
