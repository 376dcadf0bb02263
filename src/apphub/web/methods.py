"""Which methods an address takes, told to OPTIONS.

Litestar's own answer lists those of whichever handler was registered first for the path.
"""

from __future__ import annotations

from typing import Any, cast

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_KEPT = "methods"


def keep_methods(app: Litestar) -> None:
    """Note the methods of every path, once all are registered."""
    app.state[_KEPT] = {route.path_format: ", ".join(sorted(route.methods)) for route in app.routes}


async def tell_methods(message: Message, scope: Scope) -> None:
    """Put them into an answer to OPTIONS (a `before_send` hook)."""
    asked = cast("dict[str, Any]", scope)
    if message["type"] != "http.response.start" or asked.get("method") != "OPTIONS":
        return
    methods = asked["litestar_app"].state.get(_KEPT, {}).get(asked.get("path_template"))
    if methods is not None:
        MutableScopeHeaders.from_message(message)["allow"] = methods
