"""Settings with every profile of the gallery, for a look at all of them:

    gallery/install.sh python terminal && make jupyterlab
    python3 gallery/settings.py >gallery.yaml
    .venv/bin/apphub serve --config gallery.yaml

Paths in the profiles begin with /srv/apphub; here they are those of this copy. Everybody may start
everything, and signs in with any name and one password, which is printed on top: for a trial only.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

GALLERY = Path(__file__).resolve().parent


def profile(name: str) -> str:
    """The text of one profile, with the paths of this copy."""
    text = (GALLERY / name / "profile.yaml").read_text()
    return text.replace("/srv/apphub", str(GALLERY.parent))


def names() -> list[str]:
    """All that there are."""
    return sorted(path.parent.name for path in GALLERY.glob("*/profile.yaml"))


def settings(password: str) -> str:
    """A whole settings file."""
    lines = [
        f"# Sign in with any name and the password {password}",
        "login:",
        "  password: {enabled: false}",
        f"  shared_password: {{password: {password}}}",
        "  admins: [admin]",
        "profiles:",
    ]
    for name in names():
        text = profile(name).replace("groups: [analysts]", "groups: everyone")
        body = [line for line in text.splitlines() if not line.startswith("#")]
        lines += [f"  - {body[0]}", *(f"    {line}" for line in body[1:])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(settings(secrets.token_urlsafe(9)))
