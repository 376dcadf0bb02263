"""Profiles of apps that tests can steer: slow ones, ones that die, ones with children, an echo.

All but the sample app run `steered_app.py`, which does what the options of a start say.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).with_name("steered_app.py")

HELLO: dict[str, Any] = {
    "slug": "hello",
    "display_name": "Hello",
    "description": "A small page that shows that everything works.",
    "kind": "hello",
    "groups": "everyone",
    "default": True,
}
STEERED: dict[str, Any] = {
    "slug": "steered",
    "display_name": "Steered",
    "command": [sys.executable, "-S", "-E", str(_PROGRAM)],
    "groups": "everyone",
    "auth": "hub",  # the app lets everybody in
    "options_variable": "STEERED_OPTIONS",
    "options": {
        "delay": {"title": "Delay", "type": "number", "default": 0, "minimum": 0},
        "fail": {"title": "Fail", "type": "boolean", "default": False},
        "children": {"title": "Children", "type": "integer", "default": 0},
    },
}
