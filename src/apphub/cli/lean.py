"""Import structlog without rich, and so before anything else does.

structlog takes rich wherever it is installed (typer needs it, for `--help`), to print tracebacks that we
do not want: they show local variables. That is four megabytes of every hub, and a part of every start.
"""

from __future__ import annotations

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # what Python takes for "there is none"
    import structlog  # noqa: F401

    del sys.modules["rich"]
