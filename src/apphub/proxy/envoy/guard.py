"""The filters that let visitors pass, scripts (Lua) both: `edge`, and for what stays open `watch`.

`edge` runs for every request to a guarded app. It checks the cookie that the hub gave a visitor: signed
by the hub, for this route, not over, still counting; every pass whose signature was checked is
remembered. Where that does not settle it (no pass, another's, one that has ended, a token instead of one)
it asks the hub. So the usual request costs no question, and every doubt costs one. Then it tells the app
who visits. `watch` ends the websockets and event streams of those who may no longer visit.

Envoy's own filter for signed tokens is not used: it takes what it finds in a cookie apart at every
request and hands it on as a table, which costs more than all that is done here. Nor is its filter that
asks (ext_authz), which costs a quarter of the guard where nothing is to be asked.

It fails closed: where the app is comes from the script, as the last thing it does. Envoy goes on after an
error in Lua, and then the request has nowhere to go; when the hub cannot answer, nobody passes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, KeySet

from apphub.kit import cookies
from apphub.kit.apphosts import AppHosts
from apphub.proxy.base import USE_TOLD_EVERY
from apphub.proxy.envoy.resources import (
    CHECK_PATH,
    FILTER,
    HIDE,
    HUB_CLUSTER,
    METADATA,
    OWN,
    OWN_STREAMS,
    SCOPE_HEADER,
    STREAMS,
    USED_PATH,
    WATCH,
    app_paths,
    hub_path,
)
from apphub.proxy.envoy.typed import typed

Json = dict[str, Any]

#: Who makes passes.
ISSUER = "apphub"
#: The signed identity that apps receive.
IDENTITY_HEADER = "x-apphub-identity"

#: Passes remembered per worker (some 2 kB each; a signature takes 60 µs to check), and as many whole Cookie
#: headers (8 kB at most) with what was found in them.
REMEMBERED = 5_000

#: Where the hub's answer names the visitor's sign-in, for `watch`; no app sees it.
SESSION_HEADER = "x-hub-session"
#: Where it names headers that the app is not to see.
REMOVED_HEADER = "x-envoy-auth-headers-to-remove"
#: What the hub is asked with, and what of a refusal visitors are told.
_ASKED = (
    "accept",
    "cookie",
    "authorization",
    "origin",
    "upgrade",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-site",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
)
_TOLD = ("location", "set-cookie", "www-authenticate", "content-type", "cache-control", "retry-after")

_HERE = Path(__file__).parent


def guard_filters(
    base_url: str, keys: str, ended: Path, apps: AppHosts | None = None, *, far: bool = False
) -> list[Json]:
    """The filters, with all their scripts; routes choose (see `resources`).

    `keys` is the JSON Web Key Set that passes are checked with; `ended` the file that names
    visitors whose open streams must end (see `watch.lua`); `apps` are the hosts of those apps
    that have their own; `far` says that hubs are reached by doors.
    """
    names = {
        "KEYS": _in_hex(keys),
        "ISSUER": ISSUER,
        "REMEMBERED": str(REMEMBERED),
        "OURS": _names(cookies.OURS),
        "HIDDEN": _names(cookies.HIDDEN),
        "IDENTITY": IDENTITY_HEADER,
        "HUB": HUB_CLUSTER,
        "CHECK": f"{base_url}hub/{CHECK_PATH}",
        "ASKED": _list(_ASKED),
        "TOLD": _list(_TOLD),
        # Where a hub's machine has gone its door still stands, and says so.
        "RETRIED": "connect-failure,refused-stream,reset" + (",gateway-error" if far else ""),
        "REMOVED": REMOVED_HEADER,
        "USED": f"{base_url}hub/{USED_PATH}",
        "TOLD_EVERY": str(int(USE_TOLD_EVERY.total_seconds())),
        "SESSION": SESSION_HEADER,
        "GUARD": METADATA,
        "ENDED": str(ended),
        "APPS": _list(app_paths(base_url)),
        "SCOPE": SCOPE_HEADER,
        "HUB_PATH": hub_path(base_url),
    }
    return [
        {"name": FILTER, "typed_config": _guard(names, apps)},
        {"name": WATCH, "typed_config": _watch(names), "disabled": True},
    ]


def _in_hex(keys: str) -> str:
    """Public keys as the script has them."""
    keys_of_set = KeySet.import_key_set(json.loads(keys)).keys
    return ", ".join(f'"{key.as_der(private=False).hex()}"' for key in keys_of_set if isinstance(key, ECKey))


def _names(names: Iterable[str]) -> str:
    """A set of names as the scripts have it."""
    return ", ".join(f'["{name}"] = true' for name in sorted(names))


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _source(names: dict[str, str], *files: str, cookie: str = cookies.PASS) -> Json:
    text = "\n".join((_HERE / file).read_text() for file in files)
    for name, value in {**names, "COOKIE": cookie}.items():
        text = text.replace(f"@{name}@", value)
    return {"inline_string": text}


def _guard(names: dict[str, str], apps: AppHosts | None) -> Json:
    guard = ("passes.lua", "ask.lua", "guard.lua")
    others = {STREAMS: _source(names, *guard, "streams.lua")}
    # Where the scope is an expression (see `entrance`) it has led to the hub already.
    before = ["hub.lua"] if apps is None else []
    if apps is not None:
        # The one name that counts: a plain one may have been set by a neighbouring host.
        cookie = f"{apps.cookie_prefix}{cookies.PASS}"
        others[OWN] = _source(names, "own.lua", "use.lua", *guard, cookie=cookie)
        others[OWN_STREAMS] = _source(names, "own.lua", *guard, "streams.lua", cookie=cookie)
        others[HIDE] = _source(names, "hide.lua")
    return typed(
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code=_source(names, *before, "use.lua", *guard),
        source_codes=others,
        # What the app is told changes nothing about the route, and to find it again takes a tenth of the request.
        clear_route_cache=False,
    )


def _watch(names: dict[str, str]) -> Json:
    scripts = {WATCH: _source(names, "use.lua", "watch.lua")}
    return typed("envoy.extensions.filters.http.lua.v3.Lua", source_codes=scripts)
