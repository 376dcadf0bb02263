"""The report of a start: a text that can be sent to somebody who can help.

It must hold no secret. The server's own token is known and taken out; so is whatever looks like
a credential, in options by their names and in output by what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from apphub import __version__
from apphub.kit.clock import wire_time
from apphub.servers.model import Progress, Server

REMOVED = "[removed]"
_NAME = re.compile(r"pass|secret|token|credential|(^|[_.-])key($|[_.-])|api_?key", re.IGNORECASE)
_WORDS = re.compile(
    r"((?:password|passwd|secret|token|api[_-]?key|authorization|bearer)[\"']?\s*[:= ]\s*(?:bearer\s+|token\s+)?[\"']?)"
    r"([^\s\"'&,;]{6,})",
    re.IGNORECASE,
)
_URL = re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]+:)([^\s@/]+)@", re.IGNORECASE)


def write_report(
    server: Server, story: Sequence[Progress], log: str, now: datetime, secrets: Iterable[str] = ()
) -> str:
    """The report; `secrets` are taken out wherever they are."""
    plan = server.plan
    lines = [
        f"Report of the server {server.key}",
        f"Made: {wire_time(now)} by apphub {__version__}",
        f"State: {server.phase}, attempt {server.attempt}, asked for {wire_time(server.requested)}",
        f"Profile: {plan.profile} (version {plan.profile_version})" if plan is not None else "Profile: none",
        "",
        "Options",
        *(
            f"  {name}: {REMOVED if _NAME.search(name) else value}"
            for name, value in (plan.options if plan else {}).items()
        ),
        "",
        "What happened (UTC)",
        *(f"  {wire_time(event.at)} attempt {event.attempt}: {event.message}" for event in story),
        "",
        "Reason",
        *(f"  {line}" for line in (server.reason or "none").splitlines()),
        "",
        "Output of the last attempt",
        log,
        "",
    ]
    return cleaned("\n".join(lines), secrets)


def cleaned(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without what looks like one."""
    for secret in filter(None, secrets):
        text = text.replace(secret, REMOVED)
    return _URL.sub(rf"\1{REMOVED}@", _WORDS.sub(rf"\1{REMOVED}", text))
