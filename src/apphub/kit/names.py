"""Which names may be given to people, groups and servers, and how they are folded."""

from __future__ import annotations

import re
import unicodedata

#: Longest name of a person or group, in characters.
LONGEST = 255

#: Server names as JupyterHub 6 allows them: a DNS label that starts with a letter.
SERVER = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]|[a-z]")

#: Slugs of profiles and services: also fit for paths and environment names.
SLUG = re.compile(r"^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$")

_DISPLAY = re.compile(r"\S+(?: \S+)*")


def fold(name: str) -> str:
    """The one spelling of a person's name: NFKC, lower case. Every door folds before it looks up or creates."""
    return unicodedata.normalize("NFKC", name).casefold()


def _printable(text: str) -> bool:
    return text.isprintable() or not any(
        unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in text
    )


def is_name(name: str) -> bool:
    """Whether this may name a person or group: 1 to 255 printable characters, no slash, no space at the ends."""
    return (
        0 < len(name) <= LONGEST
        and "/" not in name
        and name == name.strip()
        and name not in (".", "..")
        and _printable(name)
    )


def user_name(name: str) -> str:
    """The folded name. Raises ValueError for one that cannot be a person's."""
    folded = fold(name)
    if not is_name(folded):
        raise ValueError(f"{name[:40]!r} cannot be a user name")
    return folded


def is_server_name(name: str) -> bool:
    """Whether this may name a server: at most 30 of `a-z 0-9 -`, letter first, no `-` at the end or twice."""
    return SERVER.fullmatch(name) is not None


def is_display_name(text: str) -> bool:
    """Whether this may be shown as a server's name: at most 255 printable characters, single spaces inside."""
    return len(text) <= LONGEST and _printable(text) and (_DISPLAY.fullmatch(text) is not None or text == "")
