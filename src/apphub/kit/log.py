"""Structured logs: one line an event, for people on a console or as JSON for machines.

Secrets must not get here: what a line may hold is checked by name, and values are bounded.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Keys whose values are never written, as JupyterHub scrubs them from its own logs.
SECRETS = frozenset(
    {"token", "auth", "key", "code", "state", "_xsrf", "password", "secret", "authorization", "cookie", "env"}
)
LONGEST = 4000


def _scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in SECRETS:
            event[key] = "[secret]"
        elif isinstance(value, str) and len(value) > LONGEST and key != "exception":
            event[key] = f"{value[:LONGEST]}…"
    return event


def set_up(level: str, form: str) -> None:
    """Log to standard error from `level` up, as `console` or `json`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    tail: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        # A plain traceback: the pretty one shows local variables, among them secrets.
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _scrub,
            *tail,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
