"""Who may launch which profile, with which options: the rules, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from apphub.errors import Invalid
from apphub.people.model import Source
from apphub.profiles.forms import options_schema
from apphub.profiles.model import (
    BadOption,
    Binding,
    Catalogue,
    Holders,
    Nobody,
    NotYours,
    Offer,
    with_groups,
)
from apphub.profiles.secret import HIDDEN, concealed, restored
from apphub.settings import Profile


@dataclass(frozen=True)
class Who:
    id: int = 1
    admin: bool = False
    groups: frozenset[str] = field(default_factory=frozenset)


PROFILE = Profile.model_validate(
    {
        "slug": "lab",
        "command": ["x"],
        "options": {
            "size": {"choices": ["small", "big"], "default": "small"},
            "name": {"pattern": "[a-z]+"},
            "debug": {"type": "boolean", "default": False},
        },
    }
)


def binding(key: int, **whom: Any) -> Binding:
    given = {"user_id": None, "user": None, "group": None, "role": None, "options": None, **whom}
    return Binding(id=key, source=Source.API, **given)


def catalogue(*bindings: Binding) -> Catalogue:
    offer = with_groups(Offer(7, 1, PROFILE, bindings, Source.API))
    return Catalogue({"lab": offer}, {"pilots": Holders(frozenset({5}), frozenset({"crew"}))})


@pytest.mark.parametrize(
    ("whom", "who", "may"),
    [
        ({"group": "g"}, Who(groups=frozenset({"g"})), True),
        ({"group": "g"}, Who(groups=frozenset({"gg"})), False),
        ({"user_id": 1, "user": "ada"}, Who(), True),
        ({"user_id": 2, "user": "ada"}, Who(), False),
        ({"role": "user"}, Who(), True),
        ({"role": "user"}, Nobody(), True),
        ({"role": "admin"}, Who(), False),
        ({"role": "admin"}, Who(admin=True), True),
        ({"role": "pilots"}, Who(id=5), True),
        ({"role": "pilots"}, Who(groups=frozenset({"crew"})), True),
        ({"role": "pilots"}, Who(admin=True), False),
        ({"role": "gone"}, Who(), False),
        ({"user_id": 1, "user": "ada"}, Nobody(), False),
    ],
)
def test_a_binding_lets_in_just_those_it_names(whom: dict[str, Any], who: Who, may: bool) -> None:
    profiles = catalogue(binding(1, **whom))
    assert profiles.is_open("lab", who) is may
    assert [profile.slug for profile in profiles.open_to(who)] == (["lab"] if may else [])
    if may:
        assert profiles.choose({"profile": "lab", "name": "x"}, who).offer.version == 1
    else:
        with pytest.raises(NotYours):
            profiles.choose({"profile": "lab", "name": "x"}, who)


def test_nobody_is_let_in_without_a_binding() -> None:
    with pytest.raises(NotYours, match="may be started by nobody"):
        catalogue().choose({"profile": "lab"}, Who(admin=True))


def test_fixed_options_cannot_be_chosen_otherwise() -> None:
    profiles = catalogue(binding(1, role="user", options={"size": "big", "debug": True}))
    chosen = profiles.choose({"profile": "lab", "name": "x"}, Who())
    assert chosen.options == {"size": "big", "name": "x", "debug": True}
    with pytest.raises(BadOption, match=r"size cannot be 'small' for this user. It is fixed to big"):
        profiles.choose({"profile": "lab", "name": "x", "size": "small"}, Who())


def test_of_several_ways_the_one_that_fits_is_taken() -> None:
    profiles = catalogue(
        binding(1, group="g", options={"size": "small"}), binding(2, role="user", options={"size": "big"})
    )
    member = Who(groups=frozenset({"g"}))
    for size in ("small", "big"):
        assert profiles.choose({"profile": "lab", "name": "x", "size": size}, member).options["size"] == size
    with pytest.raises(BadOption):
        profiles.choose({"profile": "lab", "name": "x", "size": "small"}, Who())


def test_a_way_that_fixes_nothing_wins() -> None:
    profiles = catalogue(
        binding(1, role="user", options={"size": "small"}), binding(2, user_id=1, user="ada")
    )
    assert profiles.choose({"profile": "lab", "name": "x", "size": "big"}, Who()).options["size"] == "big"
    (shown,) = profiles.open_to(Who())
    assert shown.options["size"].choices == ("small", "big")


def test_the_form_offers_only_what_the_ways_in_leave() -> None:
    (shown,) = catalogue(binding(1, role="user", options={"size": "big", "debug": True})).open_to(Who())
    properties = options_schema(shown)["properties"]
    assert properties["size"] == {"type": "string", "enum": ["big"], "default": "big"}
    assert properties["debug"]["default"] is True


def test_options_are_a_json_schema() -> None:
    assert options_schema(PROFILE) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "size": {"type": "string", "default": "small", "enum": ["small", "big"]},
            "name": {"type": "string", "maxLength": 200, "pattern": "^(?:[a-z]+)$"},
            "debug": {"type": "boolean", "default": False},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


DEFINITION = {
    "container": {
        "image_pull_secrets": [{"name": "registry", "data": "s3cret"}, {"name": "empty"}],
        "manifests": [
            {
                "name": "m",
                "content": [
                    {"kind": "Secret", "data": {"key": "s3cret"}, "metadata": {"name": "s"}},
                    {"kind": "Service", "data": {"key": "plain"}},
                ],
            }
        ],
    }
}


def test_secrets_are_shown_to_nobody_and_kept_when_they_come_back_as_marks() -> None:
    shown = concealed(DEFINITION)
    assert "s3cret" not in str(shown)
    assert "plain" in str(shown)
    assert "s3cret" in str(DEFINITION)  # what is kept is not touched
    assert restored(shown, DEFINITION) == DEFINITION


def test_a_mark_where_nothing_is_kept_is_refused() -> None:
    with pytest.raises(Invalid, match=r"container.image_pull_secrets\[0\].data: nothing is kept"):
        restored({"container": {"image_pull_secrets": [{"data": HIDDEN}]}}, {})
