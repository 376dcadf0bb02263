"""All settings, and the only reader of the settings file and the environment.

Papers about them (`json_schema`, `reference_page`) are apart: no hub has a use for what they import.
"""

from apphub.settings.load import Loaded, load, read
from apphub.settings.look import Look
from apphub.settings.model import (
    TLS,
    Group,
    Limits,
    Login,
    Option,
    PasswordLogin,
    Processes,
    Profile,
    Role,
    Service,
    Settings,
    SharedPasswordLogin,
    Timeouts,
    Tokens,
    effective_profiles,
)
from apphub.settings.outside import require_usable, warnings
from apphub.settings.problems import Problem, SettingsError
from apphub.settings.quota import Quota

__all__ = [
    "TLS",
    "Group",
    "Limits",
    "Loaded",
    "Login",
    "Look",
    "Option",
    "PasswordLogin",
    "Problem",
    "Processes",
    "Profile",
    "Quota",
    "Role",
    "Service",
    "Settings",
    "SettingsError",
    "SharedPasswordLogin",
    "Timeouts",
    "Tokens",
    "effective_profiles",
    "load",
    "read",
    "require_usable",
    "warnings",
]
