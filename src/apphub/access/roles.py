"""Roles that every hub has (docs: "Roles" of JupyterHub, whose names and contents they are)."""

from __future__ import annotations

BUILT_IN: dict[str, tuple[str, tuple[str, ...]]] = {
    "user": ("What every user may do.", ("self",)),
    "admin": (
        "Everything.",
        (
            "admin-ui",
            "admin:users",
            "admin:servers",
            "admin:services",
            "tokens",
            "admin:groups",
            "list:services",
            "read:services",
            "read:hub",
            "proxy",
            "shutdown",
            "access:services",
            "access:servers",
            "read:roles",
            "read:metrics",
            "shares",
            "admin:profiles",
            "read:audit",
        ),
    ),
    "server": ("What a server's own token may do.", ("users:activity!user", "access:servers!server")),
    "token": ("What a token may do that asks for nothing less.", ("inherit",)),
}
