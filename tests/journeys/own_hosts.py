"""A hub over TLS whose apps have hosts of their own, and browsers (without a screen) that find them.

The hub is at hub.hosts.test, apps are below apps.hosts.test: neighbours, which is what browsers
protect least.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpcore
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from guarding import WebSocket, echoing

from hubs import PASSWORD, RunningHub

DOMAIN, HUB_HOST = "apps.hosts.test", "hub.hosts.test"
PASS, ENTRY, XSRF, LOGIN = (
    f"__Host-{name}" for name in ("apphub-pass", "apphub-entry", "_xsrf", "jupyterhub-hub-login")
)
PAGE = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def certificate(folder: Path) -> dict[str, str]:
    """A certificate for the hub and all apps, signed by itself; the setting `tls`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HUB_HOST)])
    names = x509.SubjectAlternativeName([x509.DNSName(HUB_HOST), x509.DNSName(f"*.{DOMAIN}")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - day, now + day, []
        )
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    files = {"certificate": folder / "chain.pem", "key": folder / "key.pem"}
    files["certificate"].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files["key"].write_bytes(private)
    return {name: str(file) for name, file in files.items()}


def with_hosts(folder: Path, config: Mapping[str, Any] | None = None) -> RunningHub:
    """Such a hub, not started yet."""
    hub = RunningHub({**(config or echoing()), "apps_domain": DOMAIN, "tls": certificate(folder)})
    hub.config["public_url"] = hub_origin(hub)
    return hub


def hub_origin(hub: RunningHub) -> str:
    """The hub, as people know it."""
    return f"https://{HUB_HOST}:{hub.address.port}"


def app_origin(hub: RunningHub, user: str, name: str = "") -> str:
    """The app's own origin, as the API tells."""
    url = str(hub.server(user, name)["full_url"])
    assert url.endswith("/")
    return url[:-1]


class _Here(httpcore.SyncBackend):
    """Finds every name of the test's domain on this machine."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        assert host.endswith(".test") or host == "127.0.0.1", host
        return super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


@contextlib.contextmanager
def browser() -> Iterator[httpx.Client]:
    """Somebody's browser, which has been nowhere yet."""
    transport = httpx.HTTPTransport(verify=False)
    transport._pool._network_backend = _Here()
    with httpx.Client(transport=transport, headers=PAGE, timeout=60) as client:
        yield client


def sign_in(client: httpx.Client, page: httpx.Response, name: str, xsrf: str = XSRF) -> httpx.Response:
    """Fill in the sign-in page that is shown; what comes then, wherever it leads."""
    assert page.url.path.endswith("/hub/login"), (page.url, page.status_code, page.text[:300])
    (value,) = [one.value for one in client.cookies.jar if one.name == xsrf]
    fields = {"username": name, "password": PASSWORD, "_xsrf": value or ""}
    return client.post(page.url, data=fields, follow_redirects=True)


@contextlib.contextmanager
def visiting(hub: RunningHub, name: str, *addresses: str) -> Iterator[httpx.Client]:
    """Somebody who has signed in at the hub and opened these apps."""
    with browser() as client:
        page = client.get(f"{hub_origin(hub)}/hub/login", follow_redirects=True)
        assert sign_in(client, page, name).status_code == 200
        for address in addresses:
            answer = client.get(address, follow_redirects=True)
            assert answer.status_code == 200, (answer.url, answer.status_code, answer.text[:300])
        yield client


def held(client: httpx.Client, origin: str, name: str = PASS) -> str:
    """The value of a cookie that the browser holds for a host."""
    host = origin.partition("://")[2].partition(":")[0]
    (value,) = [one.value for one in client.cookies.jar if one.name == name and one.domain == host]
    assert value is not None
    return value


def ask(at: str, path: str = "/", method: str = "GET", /, **headers: str) -> httpx.Response:
    """One request with just these headers (`_` for `-`)."""
    with browser() as client:
        client.headers = httpx.Headers()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.request(method, f"{at}{path}", headers=named)


def socket_at(hub: RunningHub, origin: str, headers: Mapping[str, str]) -> WebSocket:
    """A websocket to the echo app at its own host."""
    return WebSocket(hub, "/ws", headers, host=origin.partition("://")[2])
