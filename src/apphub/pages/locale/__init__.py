"""The languages of the pages: gettext catalogues and the choice among them.

The source texts are English. Every other language is one `LANGUAGE/LC_MESSAGES/apphub.po`
here; it is compiled in memory when the process starts, so there is no binary file to forget
and a plain `pip install` is enough. A test compares the catalogues with the templates and
with the handlers' calls of `gettext`: a text without a translation, or a translation without
a text, fails.
"""

from __future__ import annotations

import gettext as gnu
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE = "en"
_FOLDER = Path(__file__).parent

#: Entries of an Accept-Language header that are looked at; the rest is noise.
_MOST = 20


@cache
def catalogues() -> Mapping[str, gnu.NullTranslations]:
    """Language code -> compiled catalogue; English is the empty one."""
    found: dict[str, gnu.NullTranslations] = {SOURCE: gnu.NullTranslations()}
    for file in sorted(_FOLDER.glob("*/LC_MESSAGES/apphub.po")):
        language = file.parent.parent.name
        binary = BytesIO()
        with file.open("rb") as source:
            write_mo(binary, read_po(source, locale=language))
        binary.seek(0)
        found[language] = gnu.GNUTranslations(binary)
    return found


def gettext(language: str, text: str) -> str:
    """A text of a handler in this language; write it as a literal, for that is how the test finds it."""
    return catalogues().get(language, catalogues()[SOURCE]).gettext(text)


def negotiate(accept_language: str, default: str = SOURCE) -> str:
    """The language to answer in, from an Accept-Language header (RFC 9110, section 12.5.4).

    `en-GB` is served by `en`. Nothing acceptable, or nonsense: `default`, where it is a
    language there is, and English otherwise.
    """
    fallback = default if default in catalogues() else SOURCE
    if match := negotiate_locale(_preferred(accept_language[:1000]), list(catalogues()), sep="-"):
        return match
    return fallback


def _preferred(header: str) -> list[str]:
    weighted: list[tuple[float, str]] = []
    for entry in header.split(",")[:_MOST]:
        tag, _, parameters = entry.partition(";")
        weight = _weight(parameters)
        if tag.strip().isascii() and tag.strip() not in ("", "*") and weight > 0:
            weighted.append((weight, tag.strip().lower()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
