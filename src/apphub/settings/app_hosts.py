"""What the settings say of hosts that apps have of their own: whether that can be, and whether it is wise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from apphub.settings.values import Place, entry

#: Room for a label of 63 and its dot in a host name of 253 (RFC 1035, section 2.3.4).
LONGEST = 189
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLACE: Place = ("apps_domain",)


def domain(text: str) -> str:
    """A domain as it is compared. Raises ValueError in words for what is none."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit() or len(name) > LONGEST:
        raise ValueError(
            f"must be a domain such as apps.example.org: no scheme, no port, no `*`, up to {LONGEST} of "
            "a-z 0-9 - and dots"
        )
    return name


def problems(settings: Any) -> Iterator[tuple[Place, str]]:
    """Why apps cannot have hosts below the domain of these settings."""
    below, public = entry(settings, "apps_domain"), entry(settings, "public_url")
    if not isinstance(below, str) or not below:
        return
    if not isinstance(public, str) or not public:
        yield _PLACE, "needs `public_url`: apps are reached as the hub is, by the same scheme and port"
        return
    hub = _host(public)
    if hub == below:
        yield _PLACE, "is the hub's own host; choose a domain of its own, best one that is registered apart"
    elif hub.endswith(f".{below}"):
        yield _PLACE, f"has the hub's own host {hub} below it; choose a domain of its own"
    elif entry(settings, "base_url") not in (None, "/") and _neighbours(hub, below):
        yield (
            _PLACE,
            f"is a neighbour of the hub's host {hub}, whose cookies can be kept apart only where `base_url` "
            "is /; choose a domain that is registered apart",
        )


def doubts(settings: Any) -> Iterator[tuple[Place, str]]:
    """What works, and protects less than it could."""
    below, public = entry(settings, "apps_domain"), entry(settings, "public_url") or ""
    if not below or _local(below):
        return
    if _neighbours(hub := _host(public), below):
        yield (
            _PLACE,
            f"is a neighbour of the hub's host {hub}: browsers take them for one site. A domain that is "
            "registered apart is safer",
        )
    if not public.startswith("https:"):
        yield _PLACE, "is served without https: cookies that one app sets reach the others"


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def _local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _neighbours(hub: str, below: str) -> bool:
    """Whether the two look like parts of one registered domain: their last two labels are the same."""
    if _local(below):
        return False  # of this machine alone: for development
    return hub.split(".")[-2:] == below.split(".")[-2:]
