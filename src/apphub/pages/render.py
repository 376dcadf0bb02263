"""Templates to bytes, and the static files beside them.

Three things must hold for every page, so they are set once, here: everything from data is
escaped (autoescape cannot be turned off by a file's name), a name missing in a context is an
error and not an empty string, and every URL in a page is built or checked by one of the
functions below. Style sheets and scripts are files of our own with their content's hash in
the URL: a browser may keep them for ever and still never shows an old one.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from apphub.kit import clock
from apphub.pages.contexts import Page, Shell
from apphub.pages.locale import SOURCE, catalogues, negotiate

__all__ = ["Renderer", "StaticFile", "negotiate", "static_files"]

_HERE = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
#: A path on this host that no browser reads as another host's, and what it may not hold.
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
_WEB = re.compile(r"https?://[^/\\\s\x00-\x1f\x7f][^\\\s\x00-\x1f\x7f]*", re.IGNORECASE)


class StaticFile(NamedTuple):
    """A file to serve as it is."""

    body: bytes
    content_type: str
    #: Quoted, as the header wants it.
    etag: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Every static file by name, read once."""
    return _read_static()


def _read_static() -> dict[str, StaticFile]:
    files = {}
    for path in sorted((_HERE / "static").iterdir()):
        if kind := _TYPES.get(path.suffix):
            body = path.read_bytes()
            files[path.name] = StaticFile(body, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
    return files


def tone(text: str) -> int:
    """One of six colours for a tile, always the same for the same text."""
    return zlib.crc32(text.encode()) % 6


class Renderer:
    """Renders pages in any of the languages there are.

    `base_url` is the path of the whole site, with a slash at both ends. With `dev` templates
    and static files are read again whenever they change.
    """

    def __init__(self, base_url: str, dev: bool = False, *, now: Callable[[], datetime] = clock.now) -> None:
        self._base = base_url
        self._dev = dev
        self._now = now
        self._environments = {language: self._environment(language) for language in catalogues()}

    def page(self, page: Page, shell: Shell, *, language: str) -> bytes:
        """The page for a filled context."""
        return self.render(page.template, {"page": page, "shell": shell}, language=language)

    def render(self, template: str, context: Mapping[str, object], *, language: str) -> bytes:
        """A template with its context (`page` and `shell`), UTF-8; an unknown language is English."""
        environment = self._environments.get(language) or self._environments[SOURCE]
        return environment.get_template(template).render(context).encode()

    @property
    def statics(self) -> Mapping[str, StaticFile]:
        """The table of static files: name -> body, content type, entity tag."""
        return _read_static() if self._dev else static_files()

    def static(self, name: str) -> str:
        """The URL of a static file; it changes with the file's content."""
        return f"{self._base}hub/static/{name}?v={self.statics[name].etag[1:-1]}"

    def hub(self, *segments: str, **query: str) -> str:
        """The path of a page: segments are percent-encoded, empty ones at the end and empty queries left out."""
        path = "/".join(quote(segment, safe="@") for segment in segments).rstrip("/")
        fields = {name: value for name, value in query.items() if value}
        return f"{self._base}hub/{path}" + (f"?{urlencode(fields)}" if fields else "")

    def local(self, url: str) -> str:
        """`url` if it is a path on this host, and the home page otherwise."""
        return url if _LOCAL.fullmatch(url) else self.hub("home")

    def web(self, url: str) -> str:
        """`url` if it is a path on this host or an http(s) address, and the home page otherwise."""
        return url if _WEB.fullmatch(url) else self.local(url)

    def _environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=self._dev,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(catalogues()[language], newstyle=True)  # type: ignore[attr-defined]
        words = Words(language, self._now)
        environment.globals.update(language=language, static=self.static, hub=self.hub, base=self._base)
        environment.filters.update(
            local=self.local,
            web=self.web,
            ago=words.ago,
            date=words.date,
            iso=clock.wire_time,
            duration=words.duration,
            size=words.size,
            number=words.number,
            amount=words.amount,
            tone=tone,
        )
        return environment


class Words:
    """Times and amounts in the words of one language."""

    def __init__(self, language: str, now: Callable[[], datetime]) -> None:
        self._locale = Locale.parse(language)
        self._now = now

    def ago(self, moment: datetime) -> str:
        """`3 hours ago`, `in 2 days`."""
        span = moment - self._now()
        # From two days on a unit must count two or more: "10 days" and not "1 week".
        threshold = 2.0 if abs(span) >= timedelta(days=2) else 0.85
        return format_timedelta(span, add_direction=True, threshold=threshold, locale=self._locale)

    def date(self, moment: datetime) -> str:
        """Date and time in full, in UTC: for the title of a relative time."""
        return format_datetime(moment, "medium", locale=self._locale) + " UTC"

    def duration(self, span: timedelta) -> str:
        """`30 days`: in days up to three months, where weeks and months would be rounded."""
        in_days = timedelta(days=2) <= span < timedelta(days=100)
        # A unit is used where its count reaches the threshold: that of the days keeps weeks out.
        return format_timedelta(span, threshold=span.days if in_days else 0.85, locale=self._locale)

    def size(self, amount: int) -> str:
        """`2 GB`, by powers of 1024 as memory limits are given."""
        for unit, name in ((1024**3, "GB"), (1024**2, "MB")):
            if amount >= unit:
                return f"{format_decimal(round(amount / unit, 1), locale=self._locale)} {name}"
        return f"{format_decimal(round(amount / 1024, 1), locale=self._locale)} KB"

    def amount(self, value: float) -> str:
        """A number for people: `1.5`, or `1,5` in Italian."""
        return format_decimal(value, locale=self._locale)

    def number(self, value: float) -> str:
        """A number as an HTML field holds it: `4` and not `4.0`."""
        return f"{value:g}" if abs(value) < 1e6 else repr(int(value) if value == int(value) else value)
