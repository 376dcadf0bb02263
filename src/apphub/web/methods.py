"""Which methods an address takes, told to OPTIONS; and HEAD, for whatever is a page.

Litestar's own answer to OPTIONS lists those of whichever handler was registered first for the
path, and it answers HEAD nowhere by itself. Pages are asked so by programs that follow links;
to them HEAD is GET without the content (RFC 9110, section 9.3.2). The API is JupyterHub's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_KEPT = "methods"


def is_page(path: str) -> bool:
    """Whether GET of this path shows something that ends."""
    return not path.startswith(("/hub/api/", "/hub/edge/", "/hub/progress/")) and path != "/hub/api"


def keep_methods(app: Litestar) -> None:
    """Note the methods of every path, once all are registered."""
    app.state[_KEPT] = {
        route.path_format: ", ".join(sorted({*route.methods, *_head(route.path_format, route.methods)}))
        for route in app.routes
    }


def _head(path: str, methods: Collection[str]) -> tuple[str, ...]:
    return ("HEAD",) if "GET" in methods and is_page(path) else ()


async def tell_methods(message: Message, scope: Scope) -> None:
    """Put them into an answer to OPTIONS (a `before_send` hook)."""
    asked = cast("dict[str, Any]", scope)
    if message["type"] != "http.response.start" or asked.get("method") != "OPTIONS":
        return
    methods = asked["litestar_app"].state.get(_KEPT, {}).get(asked.get("path_template"))
    if methods is not None:
        MutableScopeHeaders.from_message(message)["allow"] = methods
