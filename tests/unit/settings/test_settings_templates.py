"""Texts for others' templates are filled in, and cannot do harm."""

from __future__ import annotations

import pytest

from apphub.settings.templates import TemplateProblem, filled_in, values_for

VALUES = values_for("ada", "lab", "jupyter-ada")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("bucket-{{ spawner.user.name }}", "bucket-ada"),
        ("{{spawner.user.name}}.{{ namespace }}\n", "ada.jupyter-ada\n"),
        ("{{ spawner.name or 'default' }}", "lab"),
        ("{{ namespace | replace('-', '_') | upper }}", "JUPYTER_ADA"),
        ("{% if spawner.user.name == 'ada' %}yes{% else %}no{% endif %}", "yes"),
        ('for x in "${#list[@]}"; do {{ namespace }}', 'for x in "${#list[@]}"; do jupyter-ada'),
        ("no braces { } at all", "no braces { } at all"),
    ],
)
def test_what_files_use_is_filled_in(text: str, result: str) -> None:
    assert filled_in(text, VALUES) == result


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in [1] %}{% endfor %}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ spawner.user.name.format(1) }}",
        "{{ spawner.__class__ }}",
        "{{ namespace | map('x') }}",
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{{ unknown }}",
        "{{ broken",
        "{{ 'a' " + "| replace('a', 'aaaaaaaaaaaaaaaaaaaa') " * 12 + "}}",
    ],
)
def test_what_could_do_harm_or_means_nothing_is_refused_in_words(text: str) -> None:
    with pytest.raises(TemplateProblem):
        filled_in(text, VALUES)
