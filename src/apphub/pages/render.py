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
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.runtime import Macro

from apphub.kit import clock
from apphub.pages.contexts import Page, Shell
from apphub.pages.locale import SOURCE, catalogues, negotiate
from apphub.settings import Look
from apphub.settings.look import mixed

__all__ = ["Renderer", "StaticFile", "negotiate", "static_files"]

_HERE = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
#: Files that are made of several: one request instead of one for each.
BUNDLES = {"hub.css": ("base.css", "app.css", "admin.css"), "hub.js": ("page.js", "live.js", "admin.js")}
#: A path on this host that no browser reads as another host's, and what it may not hold.
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
_WEB = re.compile(r"https?://[^/\\\s\x00-\x1f\x7f][^\\\s\x00-\x1f\x7f]*", re.IGNORECASE)


class StaticFile(NamedTuple):
    """A file to serve as it is."""

    body: bytes
    content_type: str
    #: Quoted, as the header wants it.
    etag: str


#: How much of what is rendered once is kept, for each language.
_KEPT = 4


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Every static file by name, read once."""
    return _read_static()


def _read_static() -> dict[str, StaticFile]:
    found = {path.name: path for path in sorted((_HERE / "static").iterdir())}
    return {
        name: _file(path.read_bytes(), path.suffix) for name, path in found.items() if path.suffix in _TYPES
    }


def _file(body: bytes, suffix: str) -> StaticFile:
    return StaticFile(body, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')


def _branded(files: Mapping[str, StaticFile], look: Look) -> dict[str, StaticFile]:
    """The files with the bundles of them, coloured as a site wants it, and with the picture of the site."""
    bundled = {name: b"\n".join(files[part].body for part in parts) for name, parts in BUNDLES.items()}
    bundled["hub.css"] += b"\n" + colours(look).encode()
    made = {name: _file(body, Path(name).suffix) for name, body in bundled.items()}
    if look.logo is not None:
        made[f"logo-of-site{look.logo.suffix.lower()}"] = _file(
            look.logo.read_bytes(), look.logo.suffix.lower()
        )
    return {**files, **made}


def colours(look: Look) -> str:
    """A style sheet with the site's colours, and those that go with them; empty for none."""
    light = _shades(look.accent, "#000000", "#ffffff") if look.accent else ""
    dark = _shades(look.accent_dark, "#ffffff", "#15171c") if look.accent_dark else ""
    return (f":root {{ {light} }}\n" if light else "") + (
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n" if dark else ""
    )


def _shades(accent: str, ink: str, ground: str) -> str:
    strong, tint = mixed(accent, ink, 0.78), mixed(accent, ground, 0.12)
    return f"--accent: {accent}; --accent-strong: {strong}; --tint: {tint};"


def tone(text: str) -> int:
    """One of six colours for a tile, always the same for the same text."""
    return zlib.crc32(text.encode()) % 6


def _made(macro: Macro, *told: object) -> str:
    """What a macro makes of values that never change: templates say `once(macro, ...)` where that is long."""
    return macro(*told)


class Renderer:
    """Renders pages in any of the languages there are.

    `base_url` is the path of the whole site, with a slash at both ends. With `dev` templates
    and static files are read again whenever they change. A template in the folder of the site's
    `look` stands for the one of its name, which it finds as `apphub/NAME`.
    """

    def __init__(
        self,
        base_url: str,
        dev: bool = False,
        *,
        look: Look | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._base = base_url
        self._dev = dev
        self._now = now
        self._look = look or Look()
        self._statics = None if dev else _branded(static_files(), self._look)
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
        return self._statics or _branded(_read_static(), self._look)

    @property
    def mark(self) -> str:
        """The name of the picture beside the site's name."""
        return next((name for name in self.statics if name.startswith("logo-of-site")), "mark.svg")

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

    def _loader(self) -> BaseLoader:
        ours = FileSystemLoader(_HERE / "templates")
        folder = self._look.templates
        site = [FileSystemLoader(folder)] if folder is not None else []
        return ChoiceLoader([*site, ours, PrefixLoader({"apphub": ours})])

    def _environment(self, language: str) -> Environment:
        environment = Environment(
            loader=self._loader(),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=self._dev,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(catalogues()[language], newstyle=True)  # type: ignore[attr-defined]
        words = Words(language, self._now)
        environment.globals.update(
            language=language,
            static=self.static,
            hub=self.hub,
            base=self._base,
            once=lru_cache(_KEPT)(_made),
            look=self._look,
            mark=self.mark,
        )
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
