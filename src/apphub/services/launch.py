"""From a declared service to everything a driver needs: pure.

The environment is the one that JupyterHub hands to services (its reference: "Services").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from apphub.kit.secrets import Keys
from apphub.kit.urls import Urls, segment
from apphub.runtimes.base import LaunchSpec, Ref
from apphub.settings import Service

#: What services inherit of the hub's own environment.
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


def service_token(service: Service, keys: Keys) -> str | None:
    """Its API token: as set, or derived for one that the hub runs; None for one that has none."""
    if service.api_token is not None:
        return service.api_token.get_secret_value()
    return keys.derive("service-token", service.name) if service.command else None


def service_spec(
    service: Service, service_id: int, keys: Keys, urls: Urls, environ: Mapping[str, str], data_dir: str
) -> LaunchSpec:
    """Everything needed to run a service. The attempt is a fingerprint: another configuration is another object."""
    token = service_token(service, keys)
    assert token is not None
    # Another account has a home of its own, which the driver fills in.
    inherited = INHERITED if service.user else (*INHERITED, "HOME")
    env = {name: environ[name] for name in inherited if name in environ}
    env |= _environment(service, token, urls)
    env |= service.environment
    mark = msgspec.json.encode([service.command, env, service.cwd, service.user], order="sorted")
    attempt = int.from_bytes(hashlib.sha256(mark).digest()[:4]) >> 1
    return LaunchSpec(
        ref=Ref(service_id, attempt),
        command=service.command,
        env=env,
        address=None,
        run_as=service.user or None,
        cwd=service.cwd or data_dir,
    )


def _environment(service: Service, token: str, urls: Urls) -> dict[str, str]:
    public = urls.public_origin or ""
    # Both, as JupyterHub lists them: programs in other languages compare them literally.
    access = json.dumps(["access:services", f"access:services!service={service.name}"])
    env = {
        "JUPYTERHUB_SERVICE_NAME": service.name,
        "JUPYTERHUB_API_TOKEN": token,
        "JPY_API_TOKEN": token,
        "JUPYTERHUB_API_URL": urls.server_api,
        "JUPYTERHUB_BASE_URL": urls.base,
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_USER": service.user,
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_CLIENT_ID": service.oauth_client_id or f"service-{service.name}",
        "JUPYTERHUB_OAUTH_SCOPES": access,
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": access,
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": json.dumps(list(service.oauth_client_allowed_scopes)),
        "JUPYTERHUB_PUBLIC_URL": "",
        "JUPYTERHUB_PUBLIC_HUB_URL": f"{public}{urls.hub}" if public else "",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0",
    }
    if service.url:
        prefix = f"{urls.base}services/{segment(service.name)}/"
        env["JUPYTERHUB_SERVICE_URL"] = service.url
        env["JUPYTERHUB_SERVICE_PREFIX"] = prefix
        env["JUPYTERHUB_OAUTH_CALLBACK_URL"] = f"{prefix}oauth_callback"
        env["JUPYTERHUB_PUBLIC_URL"] = f"{public}{prefix}" if public else ""
    if service.oauth_redirect_uri:
        env["JUPYTERHUB_OAUTH_CALLBACK_URL"] = service.oauth_redirect_uri
    return env


def service_address(url: str) -> tuple[str, int]:
    """Host and port of a service's URL."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80
