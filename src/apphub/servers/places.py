"""Where an app is: below the hub's path, or on a host of its own."""

from __future__ import annotations

from apphub.kit.urls import Urls
from apphub.servers.model import Server


def own_origin(server: Server, urls: Urls) -> str | None:
    """`https://lab-ada-17.apps.example.org`, for an app that has a host of its own."""
    if urls.apps is None or server.plan is None or not server.plan.own_domain:
        return None
    return urls.apps.origin(*server.key, server.id)


def root_of(server: Server, urls: Urls) -> str:
    """The path that the app itself is asked at, with a slash at both ends.

    An app that was started for a host of its own stays at its root, also when the settings have
    taken the domain away meanwhile.
    """
    alone = server.plan is not None and server.plan.own_domain
    return "/" if alone else urls.server(*server.key)


def full_url(server: Server, urls: Urls) -> str | None:
    """The address of the app, with a slash at its end; None where the settings do not say the hub's."""
    own = own_origin(server, urls)
    if own is not None:
        return f"{own}/"
    return f"{urls.public_origin}{urls.server(*server.key)}" if urls.public_origin else None
