"""Keep out what every start would pay for and no hub has a use for; imported before anything else.

structlog takes rich wherever it is installed (typer needs it, for `--help`), to print tracebacks that we
do not want: they show local variables. That is four megabytes of every hub. Pydantic looks for plugins of
its own in all packages that are installed.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # no server gets it: theirs are chosen by name

if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # what Python takes for "there is none"
    import structlog  # noqa: F401

    del sys.modules["rich"]
