"""What the edge answers by itself: ways to the hub, and plain words when somebody is away.

Envoy asks these mappers in order whenever it makes up a response; the first that fits may
change it. The response flags say why: NR no route, UF/UH nobody to connect to, UC the
connection ended, UR reset, UO overflow, URX retries used up.

Where the hub is: every path that is not below `user/` or `services/`. Tested on the path,
not on the scope header, which is gone once a request was on its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from apphub.kit.apphosts import AppHosts
from apphub.proxy.envoy.resources import ASLEEP, UNSENT_HEADER, app_paths

Json = dict[str, Any]

#: Where the path below the base URL is kept (see `entrance`).
BELOW_BASE = {"metadata_namespace": "apphub", "key": "below"}

NO_STORE = ("cache-control", "no-store")
AWAY = ["UF", "UH", "UC", "UR", "UO", "URX", "LR"]

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
%s<title>%s</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;
color:#222;background:#fff}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}
a{color:#8bf}}</style>
<h1>%s</h1>
<p>%s</p>
</html>
"""
_RELOAD = '<meta http-equiv="refresh" content="2">\n'


class OwnHosts(Struct, frozen=True):
    """Hosts of apps that have their own, and where people find the hub: https://hub.example/hub/."""

    apps: AppHosts
    hub: str


def local_replies(base_url: str, own: OwnHosts | None = None, *, unsent: bool = False) -> list[Json]:
    """The mappers, first match first. `unsent`: why the hub was not reached is told, to an edge that may try again."""
    at_hosts = _at_own_host(own) if own is not None else ()
    away = _hub_away(base_url, *([(UNSENT_HEADER, "%RESPONSE_FLAGS%")] if unsent else ()))
    return [*_refused(base_url), *at_hosts, *_no_route(base_url), *away, *_app_away(base_url)]


def _refused(base_url: str) -> Iterator[Json]:
    when = _all(_flags(["NR"]), _header(":authority", contains=","))
    yield _reply(when, 400, body=_text("The request names more than one host.\n"))
    # A path that cannot be normalised is refused before it is routed; to the API's clients nothing is there.
    unreadable = _all(_status(400), _path(re.escape(base_url) + "hub/api/.*%00.*"))
    message = "There is nothing at this address."
    yield _reply(unreadable, 404, body={"json_format": {"status": 404, "message": message}})
    unreadable = _all(_status(400), _path(".*%00.*"))
    message = "The address holds a character that no address may hold (%00). Look at it again."
    page = _PAGE % ("", "No such address", "No such address", message)
    yield _reply(_all(unreadable, _wants_html()), 400, body=_html(page))
    yield _reply(unreadable, 400, body=_text(message.replace("%", "%%") + "\n"))


def _at_own_host(own: OwnHosts) -> Iterator[Json]:
    """What the paths of an app's own host are is the app's business, so these come before all that look at paths."""
    domain = f"(?i).*\\.{re.escape(own.apps.domain)}\\.?(?::[0-9]*)?"
    here = _header(":authority", safe_regex={"regex": domain})
    missing = _all(here, _flags(["NR"]))
    shown = _all(missing, _header(":method", exact="GET"), _wants_html())
    yield _reply(shown, 302, ("location", f"{own.hub}at/%REQ(:AUTHORITY)%%REQ(:PATH)%"), NO_STORE)
    nothing = "No app runs at this address."
    yield _reply(missing, 424, NO_STORE, body={"json_format": {"status": 424, "message": nothing}})
    yield from _away(_all(here, _flags(AWAY)), f"{own.hub}home")


def _no_route(base_url: str) -> Iterator[Json]:
    """No such app, or one that does not run: `user/NAME` gets its slash, everything else goes to the hub,
    which knows why.
    """
    missing = _all(_any(_flags(["NR"]), _status(ASLEEP)), _path(_app(base_url) + ".*"))
    short = _app(base_url) + "[^/?]+"
    yield _reply(_all(missing, _path(short)), 301, ("location", "%REQ(:PATH)%/"), NO_STORE)
    with_query = "%PATH(NQ:PATH)%/?%QUERY_PARAMS(ORIG)%"
    yield _reply(_all(missing, _path(short + r"\?.+")), 301, ("location", with_query), NO_STORE)
    if base_url != "/":
        below = "%DYNAMIC_METADATA({metadata_namespace}:{key})%".format(**BELOW_BASE)
        to_hub = ("location", base_url + "hub" + below)
        yield _reply(_all(missing, _KNOWN_BELOW), 302, to_hub, NO_STORE)
    # Below another base URL this is only for paths too long to be kept; the hub redirects once more.
    yield _reply(missing, 302, ("location", base_url + "hub%REQ(:PATH)%"), NO_STORE)


def _hub_away(base_url: str, *more: tuple[str, str]) -> Iterator[Json]:
    away = _all(_flags(["NR", *AWAY]), _path(_app(base_url) + ".*", invert=True))
    message = "The hub is restarting. Apps that run are not affected; try again in a moment."
    again = ("retry-after", "1")
    api = _all(away, _path(re.escape(base_url) + "hub/api.*"))
    headers = (again, NO_STORE, *more)
    yield _reply(api, 503, *headers, body={"json_format": {"status": 503, "message": message}})
    page = _PAGE % (_RELOAD, "One moment", "One moment", message + " This page reloads itself.")
    yield _reply(_all(away, _wants_html()), 503, *headers, body=_html(page))
    yield _reply(away, 503, *headers, body=_text(message + "\n"))


def _app_away(base_url: str) -> Iterator[Json]:
    yield from _away(_all(_flags(AWAY), _path(_app(base_url) + ".*")), f"{base_url}hub/home")


def _away(away: Json, home: str) -> Iterator[Json]:
    message = "The app does not answer. It may have ended, or it is still starting."
    link = f'Reload this page in a moment, or <a href="{home}">see your apps</a>.'
    again = ("retry-after", "1")
    page = _PAGE % ("", "No answer", "No answer", f"{message} {link}")
    yield _reply(_all(away, _wants_html()), 503, again, NO_STORE, body=_html(page))
    yield _reply(away, 503, again, NO_STORE, body=_text(message + "\n"))


def _reply(when: Json, status: int, *headers: tuple[str, str], body: Json | None = None) -> Json:
    mapper: Json = {"filter": when, "status_code": status}
    if headers:
        mapper["headers_to_add"] = [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers
        ]
    if body is not None:
        mapper["body_format_override"] = body
    return mapper


def _text(words: str) -> Json:
    return {"text_format_source": {"inline_string": words}, "content_type": "text/plain; charset=UTF-8"}


def _html(page: str) -> Json:
    # In a format string a percent sign starts a command.
    return {
        "text_format_source": {"inline_string": page.replace("%", "%%")},
        "content_type": "text/html; charset=UTF-8",
    }


def _all(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}}


def _any(*filters: Json) -> Json:
    return {"or_filter": {"filters": list(filters)}}


def _status(code: int) -> Json:
    value = {"default_value": code, "runtime_key": "apphub.local_reply"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _flags(flags: list[str]) -> Json:
    return {"response_flag_filter": {"flags": flags}}


def _header(name: str, *, invert: bool = False, **match: Any) -> Json:
    return {"header_filter": {"header": {"name": name, "string_match": match, "invert_match": invert}}}


def _path(regex: str, *, invert: bool = False) -> Json:
    return _header(":path", safe_regex={"regex": regex}, invert=invert)


def _wants_html() -> Json:
    return _header("accept", contains="text/html")


def _app(base_url: str) -> str:
    """The beginning of every app's path, as a regular expression."""
    return f"(?:{'|'.join(map(re.escape, app_paths(base_url)))})"


_KNOWN_BELOW: Json = {
    "metadata_filter": {
        "matcher": {
            "filter": BELOW_BASE["metadata_namespace"],
            "path": [{"key": BELOW_BASE["key"]}],
            "value": {"present_match": True},
        },
        "match_if_key_not_found": False,
    }
}
