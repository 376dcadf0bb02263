"""Laws of the templates, style sheets and catalogues, read as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import apphub.pages
from apphub.pages import said
from apphub.pages.locale import catalogues, gettext, negotiate
from apphub.pages.render import Renderer, static_files

PAGES = Path(apphub.pages.__file__).parent
TEMPLATES = sorted((PAGES / "templates").glob("*.html"))
TRANSLATIONS = sorted((PAGES / "locale").glob("*/LC_MESSAGES/apphub.po"))

#: What would let text from people become markup, or what the content security policy refuses.
BANNED = {
    "a filter that unescapes": r"\|\s*(safe|tojson|xmlattr|urlize)\b|Markup|autoescape",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an inline style": r"<style|\sstyle\s*=",
    "an event handler": r"\son[a-z]+\s*=",
    "a script URL": r"javascript:",
    "something from elsewhere": r"(src|href|action)\s*=\s*\"(https?:)?//",
    "an attribute without quotes": r"=\{\{",
}


@pytest.mark.parametrize("what", BANNED)
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_that_is_banned(template: Path, what: str) -> None:
    assert not re.search(BANNED[what], template.read_text(), re.IGNORECASE), what


def test_templates_say_at_the_top_what_they_are_told() -> None:
    assert [path.name for path in TEMPLATES if not path.read_text().startswith("{#")] == []


def test_scripts_build_no_markup_and_run_no_text() -> None:
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setAttribute\(\"on"
    )
    for path in (PAGES / "static").glob("*.js"):
        assert not re.search(banned, path.read_text()), path.name


def test_a_static_file_has_its_hash_in_its_url_and_its_tag() -> None:
    renderer = Renderer("/apps/")
    body, kind, etag = static_files()["base.css"]
    assert kind == "text/css; charset=utf-8"
    assert renderer.static("base.css") == f"/apps/hub/static/base.css?v={etag.strip(chr(34))}"
    assert body == (PAGES / "static" / "base.css").read_bytes()


def test_static_files_are_read_anew_in_development_only() -> None:
    kept, fresh = Renderer("/"), Renderer("/", dev=True)
    assert kept.statics is kept.statics
    assert fresh.statics is not fresh.statics


def _texts(text: object) -> tuple[str, ...]:
    """One text, or the singular and the plurals."""
    return (text,) if isinstance(text, str) else tuple(str(one) for one in text or ())  # type: ignore[attr-defined]


def _sources() -> Iterator[tuple[str, ...]]:
    yield from ((text,) for text in said.sources())
    for path in TEMPLATES:
        with path.open("rb") as file:
            options = {"trimmed": "true"}
            for _, _, message, _ in babel_extract(file, ("_", "gettext", "ngettext"), [], options):
                texts = message if isinstance(message, tuple) else (message,)
                yield tuple(text for text in texts if text is not None)
    for _, _, message, _, _ in extract_from_dir(
        PAGES, method_map=[("**.py", "python")], keywords={"gettext": (2,)}, strip_comment_tags=True
    ):
        yield (message,) if isinstance(message, str) else tuple(message)


@pytest.mark.parametrize("file", TRANSLATIONS, ids=lambda path: path.parent.parent.name)
def test_a_catalogue_translates_every_text_and_nothing_else(file: Path) -> None:
    with file.open("rb") as source:
        catalogue = read_po(source, locale=file.parent.parent.name, abort_invalid=True)
    translated = {_texts(message.id) for message in catalogue if message.id and all(_texts(message.string))}
    assert translated == set(_sources())
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []


@pytest.mark.parametrize("file", TRANSLATIONS, ids=lambda path: path.parent.parent.name)
def test_a_translation_has_the_placeholders_of_its_source(file: Path) -> None:
    with file.open("rb") as source:
        for message in read_po(source, locale=file.parent.parent.name):
            for text in _texts(message.string) if message.id else ():
                wanted = re.findall(r"%\(\w+\)\w", _texts(message.id)[-1])
                assert sorted(re.findall(r"%\(\w+\)\w", text)) == sorted(wanted), text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("it", "it"),
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("en-GB,en;q=0.9,it;q=0.8", "en"),
        ("de, it;q=0.5, en;q=0.1", "it"),
        ("en;q=0.1, it;q=0.9", "it"),
        ("de", "en"),
        ("it;q=0", "en"),
        ("it;q=nonsense", "en"),
        ("*", "en"),
        ("it" * 10_000, "en"),
        (",,;;==", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_language_follows_what_the_browser_prefers(header: str, language: str) -> None:
    assert negotiate(header, "en") == language


def test_the_default_language_serves_whoever_names_none() -> None:
    assert negotiate("", "it") == "it"
    assert negotiate("en", "it") == "en"
    assert negotiate("", "xx") == "en"


def test_handlers_can_say_their_texts_in_every_language() -> None:
    assert set(catalogues()) == {"en", "it"}
    assert gettext("it", "Home") == "Home"
    assert gettext("xx", "Home") == "Home"


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _colours(dark: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("base.css", "app.css"):
        light, _, rest = (PAGES / "static" / name).read_text().partition("prefers-color-scheme: dark")
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
        if dark:
            found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", rest))
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_borders_stand_out_enough(dark: bool) -> None:
    colours = _colours(dark)
    grounds = ("ground", "panel", "sunk")
    text = [(ink, ground) for ink in ("text", "soft") for ground in grounds]
    text += [
        ("accent", "ground"),
        ("accent", "panel"),
        ("on-accent", "accent"),
        ("on-accent", "accent-strong"),
    ]
    text += [("accent-strong", "tint"), ("text", "tint"), ("bad", "panel")]
    text += [(kind, f"{kind}-tint") for kind in ("good", "warn", "bad")]
    shapes = [(shape, ground) for shape in ("edge", "accent", "good") for ground in ("panel", "ground")]
    shapes += [(f"ink-{n}", f"tone-{n}") for n in range(6)]
    assert [p for p in text if _contrast(colours[p[0]], colours[p[1]]) < 4.5] == []
    assert [p for p in shapes if _contrast(colours[p[0]], colours[p[1]]) < 3] == []
