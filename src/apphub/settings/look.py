"""How the pages look and what a site says on them: its name, logo, colours, texts, templates.

Colours are checked when the settings are read: a site cannot choose one on which nobody can
read, or that nobody can tell from the page (WCAG 2.2, 1.4.3 and 1.4.11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from apphub.settings.values import FilePath, Place, Section, Word

#: What text in the accent colour stands on, in light and in dark: the darkest and the lightest ground
#: of `static/base.css`. A test holds them against that file.
GROUNDS = {"accent": ("#ffffff", "#f6f6f3"), "accent_dark": ("#1e2128", "#15171c")}
#: Text on a button of that colour.
ON_ACCENT = {"accent": "#ffffff", "accent_dark": "#131a33"}
#: Least contrast of text (WCAG 2.2, success criterion 1.4.3).
LEAST = 4.5

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def _colour(value: str) -> str:
    if not _COLOUR.fullmatch(value):
        raise ValueError("must be a colour such as #3557c9, in quotes")
    return value.lower()


Colour = Annotated[str, AfterValidator(_colour), Word("a colour")]


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2, definitions)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """`share` of one colour, the rest of the other."""
    pairs = ((int(colour[p : p + 2], 16), int(other[p : p + 2], 16)) for p in (1, 3, 5))
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


class Look(Section):
    """How the pages look, and what the site says on them."""

    name: str = Field(
        default="apphub", min_length=1, max_length=40, description="Shown at the top and in titles."
    )
    logo: FilePath | None = Field(
        default=None, description="Square picture beside the name, an SVG or PNG file of at most 40 KB."
    )
    accent: Colour | None = Field(
        default=None, description="Colour of links and buttons on light pages; its contrast is checked."
    )
    accent_dark: Colour | None = Field(default=None, description="The same on dark pages.")
    footer: str = Field(default="", max_length=1000, description="A line at the end of every page.")
    sign_in_hint: str = Field(
        default="", max_length=1000, description="Below the sign-in form, for example how to get an account."
    )
    locked: Literal["show", "hide"] = Field(
        default="show", description="Apps that one may not start: shown with the reason, or hidden."
    )
    ask_for_access: str = Field(
        default="", max_length=1000, description="How to ask for such an app, shown beside the reason."
    )
    templates: FilePath | None = Field(
        default=None, description="Folder with templates of your own (docs/howto/branding.md)."
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        return self._refuse(list(self._problems()))

    def _problems(self) -> Iterator[tuple[Place, str]]:
        for name, grounds in GROUNDS.items():
            colour = getattr(self, name)
            if colour is None:
                continue
            worst = min((contrast(colour, ground), ground) for ground in (*grounds, ON_ACCENT[name]))
            if worst[0] < LEAST:
                which = "lighter" if name == "accent_dark" else "darker"
                yield (
                    (name,),
                    f"has a contrast of only {worst[0]:.1f} to {worst[1]}, and text needs {LEAST}: take a {which} one",
                )
        if self.logo is not None and self.logo.suffix.lower() not in (".svg", ".png"):
            yield ("logo",), "must be an .svg or .png file"
