"""The filters that let visitors pass, in their order: `edge`, `ask`.

`edge` (Lua) checks the cookie that the hub gave a visitor: signed by the hub, for this route, not
over, still counting; it remembers every pass whose signature it has checked. Then it tells the app
who visits. `ask` (ext_authz) asks the hub whenever `edge` did not say yes: no pass, another's, one
that has ended, a token instead of one. So the usual request costs no question, and every doubt
costs one.

Envoy's own filter for signed tokens is not used: it takes what it finds in a cookie apart at every
request and hands it on as a table, which costs more than all that is done here.

It fails closed: Envoy goes on after an error in Lua, and then the hub is asked; when the hub
cannot answer, nobody passes. Requests for which there is no route are let through to the
router, which sends them to the hub.
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
    HIDE,
    HUB_CLUSTER,
    OWN,
    OWN_STREAMS,
    STREAMS,
    USED_PATH,
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

#: Where the hub's answer names the visitor's sign-in, for `streams`; no app sees it.
SESSION_HEADER = "x-hub-session"

_HERE = Path(__file__).parent


def guard_filters(
    base_url: str, keys: str, ended: Path, apps: AppHosts | None = None, *, far: bool = False
) -> list[Json]:
    """The two filters.

    `keys` is the JSON Web Key Set that passes are checked with; `ended` the file that names
    visitors whose open streams must end (see `streams.lua`); `apps` are the hosts of those apps
    that have their own; `far` says that hubs are reached by doors.
    """
    return [
        {"name": "edge", "typed_config": _edge(base_url, keys, ended, apps)},
        {"name": "ask", "typed_config": _ask(base_url, far)},
    ]


def _in_hex(keys: str) -> str:
    """Public keys as the script has them."""
    keys_of_set = KeySet.import_key_set(json.loads(keys)).keys
    return ", ".join(f'"{key.as_der(private=False).hex()}"' for key in keys_of_set if isinstance(key, ECKey))


def _names(names: Iterable[str]) -> str:
    """A set of names as the scripts have it."""
    return ", ".join(f'["{name}"] = true' for name in sorted(names))


def _edge(base_url: str, keys: str, ended: Path, apps: AppHosts | None) -> Json:
    names = {
        "KEYS": _in_hex(keys),
        "ISSUER": ISSUER,
        "REMEMBERED": str(REMEMBERED),
        "OURS": _names(cookies.OURS),
        "HIDDEN": _names(cookies.HIDDEN),
        "IDENTITY": IDENTITY_HEADER,
        "HUB": HUB_CLUSTER,
        "USED": f"{base_url}hub/{USED_PATH}",
        "TOLD_EVERY": str(int(USE_TOLD_EVERY.total_seconds())),
        "SESSION": SESSION_HEADER,
        "ENDED": str(ended),
    }

    def script(*files: str, cookie: str = cookies.PASS) -> Json:
        text = "\n".join((_HERE / file).read_text() for file in files)
        for name, value in {**names, "COOKIE": cookie}.items():
            text = text.replace(f"@{name}@", value)
        return {"inline_string": text}

    guard = ("passes.lua", "guard.lua")
    others = {STREAMS: script(*guard, "streams.lua")}
    if apps is not None:
        # The one name that counts: a plain one may have been set by a neighbouring host.
        cookie = f"{apps.cookie_prefix}{cookies.PASS}"
        others[OWN] = script("own.lua", *guard, cookie=cookie)
        others[OWN_STREAMS] = script("own.lua", *guard, "streams.lua", cookie=cookie)
        others[HIDE] = script("hide.lua")
    return typed(
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code=script(*guard),
        source_codes=others,
        # What the app is told changes nothing about the route, and to find it again takes a tenth of the request.
        clear_route_cache=False,
    )


def _ask(base_url: str, far: bool) -> Json:
    asked = [
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
    ]
    told = ["location", "set-cookie", "www-authenticate", "content-type", "cache-control", "retry-after"]
    return typed(
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        filter_enabled_metadata={
            "filter": "apphub.guard",
            "path": [{"key": "verdict"}],
            "value": {"bool_match": True},
            "invert": True,
        },
        allowed_headers={"patterns": [_exact(name) for name in asked]},
        http_service={
            "server_uri": {"uri": "http://hub", "cluster": HUB_CLUSTER, "timeout": "5s"},
            "path_prefix": f"{base_url}hub/{CHECK_PATH}",
            # A question changes nothing: where one hub has died another one is asked.
            "retry_policy": {
                # Where its machine's door still stands, that says so.
                "retry_on": "connect-failure,refused-stream,reset" + (",gateway-error" if far else ""),
                "num_retries": 4,
                "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
            },
            "authorization_response": {
                # What the hub says of the visitor, and which of our cookies are left out.
                "allowed_upstream_headers": {
                    "patterns": [{"prefix": "x-"}, _exact("cookie"), {"prefix": "remote-"}]
                },
                "allowed_client_headers": {"patterns": [_exact(name) for name in told]},
                "allowed_client_headers_on_success": {"patterns": [_exact("set-cookie")]},
                "dynamic_metadata_from_headers": {"patterns": [_exact(SESSION_HEADER)]},
            },
        },
    )


def _exact(name: str) -> Json:
    return {"exact": name, "ignore_case": True}
