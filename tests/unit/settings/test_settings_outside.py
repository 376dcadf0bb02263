"""What a look at the machine tells."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apphub.settings import SettingsError, read, require_usable, warnings


def certificate(folder: Path, name: str, passphrase: bytes | None = None) -> None:
    """A self-signed certificate NAME.pem and its key NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    now = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=9999))
        .sign(key, hashes.SHA256())
    )
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, form, lock))


def tls_words(folder: Path, certificate_file: str, key_file: str) -> str:
    file = folder / "a.yaml"
    file.write_text(f"\ntls: {{certificate: {certificate_file}, key: {key_file}}}")
    try:
        require_usable(read(file, {}))
    except SettingsError as error:
        return str(error).removeprefix(f"{file}:2: ")
    return ""


def test_certificate_and_key_belong_together(tmp_path: Path) -> None:
    certificate(tmp_path, "one")
    certificate(tmp_path, "two")
    certificate(tmp_path, "locked", b"passphrase")
    assert tls_words(tmp_path, "one.pem", "one.key") == ""
    assert tls_words(tmp_path, "one.pem", "two.key").startswith(
        "tls: the key does not belong to the certificate"
    )
    assert tls_words(tmp_path, "locked.pem", "locked.key").startswith("tls: the key is encrypted")
    assert tls_words(tmp_path, "one.key", "one.key").startswith("tls: certificate and key must be PEM files")


def test_a_certificate_that_is_not_there_is_told(tmp_path: Path) -> None:
    certificate(tmp_path, "one")
    words = tls_words(tmp_path, "one.pem", "nope.key")
    assert words == f"tls.key: cannot read {tmp_path}/nope.key: no such file or directory"


def warned(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    found = warnings(read(file, {}), {"PATH": "/usr/bin:/bin"})
    return [str(warning).replace(f"{file}: ", "").replace(f"{file}:", "") for warning in found]


QUIET = "processes: {run_as: system-user}\nlogin: {admins: [ada]}\n"


def test_settings_without_doubts_give_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path, QUIET) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("login: {admins: [ada]}", "processes.run_as: `same` is a trial"),
        ("processes: {run_as: system-user}", "login.admins: are none"),
        (f"{QUIET}bind: ['[::]:8000']", "3: bind: is open to the network without `tls`"),
        (f"{QUIET}hub_bind: 10.0.0.1:8081", "3: hub_bind: is no loopback address"),
        (
            f"{QUIET}profiles: [{{slug: a, kind: hello, default: true, groups: [later]}}]",
            "3: profiles[0].groups[0]: 'later' is a group that `groups` does not declare",
        ),
        (f"{QUIET}roles: [{{name: user, groups: [later]}}]", "3: roles[0].groups[0]: 'later' is a group"),
        (f"{QUIET}profiles: [{{slug: a, kind: hello}}]", "3: profiles: none is the default"),
        (
            f"{QUIET}profiles: [{{slug: a, default: true, command: [no-such-program]}}]",
            "3: profiles[0].command: the program 'no-such-program' is not found on this machine",
        ),
    ],
)
def test_what_may_not_be_meant_is_warned_of(tmp_path: Path, text: str, words: str) -> None:
    (warning,) = warned(tmp_path, text)
    assert warning.startswith(words)


def test_one_password_for_everybody_on_an_open_address_is_warned_of(tmp_path: Path) -> None:
    text = "login: {shared_password: {password: x}, admins: [ada]}\nprocesses: {run_as: system-user}\n"
    assert warned(tmp_path, text) == []
    lines = warned(tmp_path, f"{text}bind: [0.0.0.0:8000]\npublic_url: https://hub.example")
    assert len(lines) == 1
    assert lines[0].startswith("1: login.shared_password: one password for every name, and `bind` is open")


def test_programs_are_found_in_the_environment_of_the_profile(tmp_path: Path) -> None:
    program = tmp_path / "env" / "bin" / "jupyterhub-singleuser"
    text = (
        f"{QUIET}profiles: [{{slug: a, kind: jupyterhub-singleuser, environment_path: env, default: true}}]"
    )
    assert len(warned(tmp_path, text)) == 2
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert warned(tmp_path, text) == []


def test_a_secret_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_text("correct horse\n")
    text = "login: {shared_password: {password: {file: pw}}, admins: [ada]}\nprocesses: {run_as: system-user}"
    secret.chmod(0o640)
    assert "give it mode 0600" in warned(tmp_path, text)[0]
    secret.chmod(0o600)
    assert warned(tmp_path, text) == []
