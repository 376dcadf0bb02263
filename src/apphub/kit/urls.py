"""Addresses the hub speaks of, built in one place and always percent-encoded."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct

from apphub.kit.apphosts import AppHosts
from apphub.kit.cookies import HOST_ONLY

#: Left as they are in path segments, as JupyterHub's tools write them.
_SAFE = "@~"

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")

#: Origin and path; nothing that browsers read as a name, a password or another host.
_ABSOLUTE = re.compile(r"(https?://[A-Za-z0-9.:-]{1,300})(/.*)")


def segment(text: str) -> str:
    """One path segment, percent-encoded."""
    return quote(text, safe=_SAFE)


def local_path(text: str | None) -> str | None:
    """The target of a `next=`, if it stays on this host; None for anything else.

    A path that begins with exactly one slash and holds no backslash, space or control
    character is the only thing let through (browsers take `//host` and `/\\host` for other
    hosts); it is taken apart and put together again before it is used.
    """
    if not text or len(text) > 4096 or not _LOCAL.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//"):
        return None
    return urlunsplit(("", "", quote(parts.path, safe="/%:@!$&'()*+,;=~-._"), parts.query, parts.fragment))


class Urls(Struct, frozen=True):
    """Paths of this hub. `base` has a slash at both ends."""

    base: str
    #: Where servers reach the hub, without the path: http://127.0.0.1:8081.
    api_origin: str
    #: Where people reach it, where the settings say so: https://hub.example.
    public_origin: str | None = None
    #: Hosts of apps that have their own, where the settings give them a domain.
    apps: AppHosts | None = None

    @property
    def cookie_prefix(self) -> str:
        """What names of the hub's cookies begin with, so that no app of a neighbouring host can set them.

        Such cookies belong to a whole host, which the hub has to itself only without a base path.
        """
        return HOST_ONLY if self.apps is not None and self.apps.secure and self.base == "/" else ""

    @property
    def cookie_path(self) -> str:
        """The path of the hub's cookies."""
        return "/" if self.cookie_prefix else self.hub

    def app_at(self, url: str | None) -> tuple[int, str] | None:
        """The server, and the path there, of an address at an app's own host; None for anything else."""
        match = _ABSOLUTE.fullmatch(url) if self.apps is not None and url else None
        if match is None or self.apps is None:
            return None
        server_id, path = self.apps.server_of(match[1]), local_path(match[2])
        return (server_id, path) if server_id is not None and path is not None else None

    @property
    def hub(self) -> str:
        """`/hub/`"""
        return f"{self.base}hub/"

    @property
    def api(self) -> str:
        """`/hub/api/`"""
        return f"{self.base}hub/api/"

    @property
    def server_api(self) -> str:
        """The API as servers reach it, without the last slash."""
        return f"{self.api_origin}{self.base}hub/api"

    def user(self, name: str) -> str:
        """`/user/ada/`"""
        return f"{self.base}user/{segment(name)}/"

    def server(self, user: str, server: str) -> str:
        """`/user/ada/` or `/user/ada/lab/`"""
        return f"{self.user(user)}{segment(server)}/" if server else self.user(user)

    def progress(self, user: str, server: str) -> str:
        """Where the progress of a start is told."""
        where = f"servers/{segment(server)}" if server else "server"
        return f"{self.api}users/{segment(user)}/{where}/progress"

    def page(self, kind: str, user: str, server: str = "") -> str:
        """`/hub/spawn/ada` or `/hub/spawn-pending/ada/lab`"""
        path = f"{self.hub}{kind}/{segment(user)}"
        return f"{path}/{segment(server)}" if server else path
