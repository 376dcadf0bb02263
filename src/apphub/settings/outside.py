"""What only a look at the machine can tell: files that must be there, and what deserves a warning.

Apart from `load`, because settings are also read where they are not used: a file may be
checked or turned into a schema on another machine than the hub's.
"""

from __future__ import annotations

import ipaddress
import shutil
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from apphub.settings import app_hosts
from apphub.settings.load import Loaded, in_order
from apphub.settings.look import Look
from apphub.settings.model import TLS, Settings, effective_profiles
from apphub.settings.problems import Problem, SettingsError
from apphub.settings.profile import Profile
from apphub.settings.values import Place

#: Bytes: it is part of every page.
LARGEST_LOGO = 40 * 1024


def require_usable(loaded: Loaded) -> None:
    """Look whether the hub could serve with these settings here. Raises `SettingsError`."""
    found = (*_tls(loaded.settings.tls), *_look(loaded.settings.pages))
    problems = [loaded.origins.problem(place, words) for place, words in found]
    if problems:
        raise SettingsError(problems)


def warnings(loaded: Loaded, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """What works, and may still not be what is meant."""
    settings = loaded.settings
    found = [
        *_safety(settings),
        *app_hosts.doubts(settings),
        *_sign_in(settings),
        *_groups(settings),
        *_programs(settings, environ.get("PATH", "")),
        *_secret_files(loaded.secret_files),
    ]
    return tuple(sorted((loaded.origins.problem(place, words) for place, words in found), key=in_order))


def _tls(tls: TLS | None) -> Iterator[tuple[Place, str]]:
    if tls is None:
        return
    missing = False
    for name, path in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            path.read_bytes()
        except OSError as error:
            missing = True
            yield ("tls", name), f"cannot read {path}: {(error.strerror or 'it failed').lower()}"
    if missing:
        return
    try:
        # A password is asked for on the terminal unless one is given.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, ValueError, OSError) as error:
        yield ("tls",), _certificate_words(error, tls.key)


def _look(look: Look) -> Iterator[tuple[Place, str]]:
    if look.logo is not None and not look.logo.is_file():
        yield ("pages", "logo"), f"there is no file {look.logo}"
    elif look.logo is not None and look.logo.stat().st_size > LARGEST_LOGO:
        yield ("pages", "logo"), f"has more than {LARGEST_LOGO // 1024} KB, and every page shows it"
    if look.templates is not None and not look.templates.is_dir():
        yield ("pages", "templates"), f"there is no folder {look.templates}"


def _certificate_words(error: Exception, key: Path) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate; both must be from the same request"
    # The library does not say so itself.
    if b"ENCRYPTED" in key.read_bytes():
        return "the key is encrypted; store it without a passphrase, readable for the hub only"
    return "certificate and key must be PEM files: the certificate chain, and its private key"


def _loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_loopback


def _safety(settings: Settings) -> Iterator[tuple[Place, str]]:
    exposed = not all(_loopback(address.ip) for address in settings.bind)
    if settings.processes.run_as == "same":
        yield (
            ("processes", "run_as"),
            "`same` is a trial: users are not protected from each other, nor the hub from them; "
            "`system-user` is for real use",
        )
    if settings.login.shared_password is not None and exposed:
        yield (
            ("login", "shared_password"),
            "one password for every name, and `bind` is open to the network: whoever knows it is anybody",
        )
    if exposed and settings.tls is None and not (settings.public_url or "").startswith("https:"):
        yield ("bind",), "is open to the network without `tls`: passwords travel unencrypted"
    if settings.hub_bind is not None and not _loopback(settings.hub_bind.ip):
        yield ("hub_bind",), "is no loopback address: tokens of servers travel unencrypted over the network"


def _sign_in(settings: Settings) -> Iterator[tuple[Place, str]]:
    if not settings.login.password.enabled and settings.login.shared_password is None:
        yield ("login",), "nobody can sign in: every way is off"
    admin_role = any(
        role.name == "admin" and (role.users or role.groups or role.services) for role in settings.roles
    )
    admin_service = any(service.admin or "admin" in service.roles for service in settings.services)
    if not (settings.login.admins or admin_role or admin_service):
        yield ("login", "admins"), "are none, and no role makes one: nobody can administer the hub"


def _groups(settings: Settings) -> Iterator[tuple[Place, str]]:
    words = "is a group that `groups` does not declare; it must come by the API or from sign-ins"
    for position, profile in enumerate(settings.profiles or ()):
        for index, name in enumerate(profile.groups if profile.groups != "everyone" else ()):
            if name not in settings.groups:
                yield ("profiles", position, "groups", index), f"{name!r} {words}"
    for position, role in enumerate(settings.roles):
        for index, name in enumerate(role.groups):
            if name not in settings.groups:
                yield ("roles", position, "groups", index), f"{name!r} {words}"


def _programs(settings: Settings, path: str) -> Iterator[tuple[Place, str]]:
    profiles = effective_profiles(settings) if not settings.profile_files else settings.profiles or ()
    for position, profile in enumerate(profiles):
        place = ("profiles", position)
        folder = profile.environment_path
        if folder is not None and not folder.is_dir():
            yield (*place, "environment_path"), f"there is no folder {folder}"
        if profile.container is not None:
            for inner, words in profile.container.beyond_processes():
                yield (*place, "container", *inner), f"not given to processes: {words}"
        program = _program(profile)
        if program is None or "{" in program:
            continue
        search = f"{folder / 'bin'}:{path}" if folder is not None else path
        if shutil.which(program, path=search) is None:
            key = "command" if profile.command else "kind"
            yield (*place, key), f"the program {program!r} is not found on this machine"
    if not any(profile.default for profile in profiles) and not settings.profile_files:
        yield ("profiles",), "none is the default: starts that name no profile fail"


def _program(profile: Profile) -> str | None:
    if profile.kind in ("hello", "image"):
        return None
    return "jupyterhub-singleuser" if profile.kind == "jupyterhub-singleuser" else profile.command[0]


def _secret_files(files: tuple[Path, ...]) -> Iterator[tuple[Place, str]]:
    for path in files:
        if path.stat().st_mode & 0o077:
            yield (), f"the secret in {path} can be read by other accounts; give it mode 0600"
