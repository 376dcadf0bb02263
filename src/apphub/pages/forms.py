"""Forms of pages: who sent them, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apphub.errors import Invalid, shown
from apphub.pages.locale import gettext
from apphub.settings import Option, Profile
from apphub.web.credentials import check_xsrf
from apphub.web.request import HubRequest

#: Fields that hold options are called `option:NAME`.
PREFIX = "option:"


class Form:
    """The fields of a form that one of our own pages sent."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    @classmethod
    async def of(cls, request: HubRequest) -> Form:
        """Read the form; raises `Forged` for one that another page sent."""
        fields = await request.form_fields()
        check_xsrf(request, fields.get("_xsrf", [""])[-1])
        return cls(fields)

    def text(self, name: str) -> str:
        """The value of a field, or an empty text."""
        return self._fields.get(name, [""])[-1].strip()

    def secret(self, name: str) -> str:
        """The value of a field as it was typed, spaces and all."""
        return self._fields.get(name, [""])[-1]

    def texts(self, name: str) -> list[str]:
        """All values of a field."""
        return list(self._fields.get(name, ()))

    def options(self, profile: Profile, language: str) -> dict[str, Any]:
        """The options of a profile, each as its type wants it; empty fields count as left out."""
        options: dict[str, Any] = {}
        for name, option in profile.options.items():
            value = self._fields.get(f"{PREFIX}{name}", [""])[-1]
            if value.strip():
                options[name] = typed(name, option, value, language)
        return options


def typed(name: str, option: Option, value: str, language: str) -> Any:
    """A text of a form as the option's type."""
    try:
        match option.type:
            case "boolean":
                return value == "true"
            case "integer":
                return int(value)
            case "number":
                return float(value)
            case _:
                return value
    except ValueError:
        what = gettext(language, "%(value)s is not a number, as %(option)s must be.")
        raise Invalid(what % {"value": shown(value), "option": option.title or name}) from None
