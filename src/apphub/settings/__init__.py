"""All settings, and the only reader of the settings file and the environment."""

from apphub.settings.model import (
    TLS,
    Group,
    Limits,
    Login,
    Option,
    Processes,
    Profile,
    Role,
    Service,
    Settings,
    Timeouts,
    Tokens,
)

__all__ = [
    "TLS",
    "Group",
    "Limits",
    "Login",
    "Option",
    "Processes",
    "Profile",
    "Role",
    "Service",
    "Settings",
    "Timeouts",
    "Tokens",
]
