"""Hubs and edges on several machines: where each is, and how it proves itself."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from apphub.settings.values import Bind, FilePath, Section


def _host_and_port(text: str) -> str:
    host, _, port = text.strip().rpartition(":")
    name = re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]+\]", host)
    if not name or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be a host and a port, for example 10.0.0.5:8443 or hub-1:8443")
    return text.strip()


HostPort = Annotated[str, AfterValidator(_host_and_port)]


class Cluster(Section):
    """Hubs and edges on several machines; all traffic between them is mutual TLS."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62})$")] | None = Field(
        default=None,
        description="The name of this machine, which its servers belong to; default: its host name. Keep it.",
    )
    bind: Bind | None = Field(
        default=None,
        description="Where a machine with hubs takes the edges of other machines, for example 0.0.0.0:8443.",
    )
    address: HostPort | None = Field(
        default=None,
        description="Where edges reach that, if it differs from `bind`; default for 0.0.0.0: the address that "
        "this machine's own name has.",
    )
    hubs: tuple[HostPort, ...] = Field(
        default=(),
        description="For `apphub proxy` on a machine without hubs: where machines with hubs take it. One is "
        "enough, it hears of the others.",
    )
    edge_key: FilePath | None = Field(
        default=None,
        description="What edges prove themselves with: hubs write it, edges read it. Default: `edge.key` in "
        "the data folder.",
    )
    secret_key: FilePath | None = Field(
        default=None,
        description="The hubs' one secret, the same for all of them, made by the first. Default: `secret.key` "
        "in the data folder.",
    )
