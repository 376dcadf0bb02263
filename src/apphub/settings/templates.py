"""Texts with `{{ spawner.user.name }}` and the like, as files for JupyterHub on Kubernetes have them.

They come from files and from people who may change profiles, so they are bounded by what is
possible in them, not only by a sandbox: values, conditions and a few filters; no loops, no
calls, no arithmetic, so that a short text cannot take long or grow large.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

#: Longest result, in characters.
LONGEST = 1_000_000
_FILTERS = ("default", "d", "lower", "upper", "trim", "replace", "string")
_NODES = (
    *(
        "Template",
        "Output",
        "TemplateData",
        "Name",
        "Getattr",
        "Getitem",
        "Const",
        "Filter",
        "If",
        "CondExpr",
    ),
    *("Compare", "Operand", "And", "Or", "Not", "Concat", "Test", "Keyword"),
)


class TemplateProblem(ValueError):
    """A text that cannot be filled in; the message says why."""


def filled_in(text: str, values: Mapping[str, Any]) -> str:
    """The text with its expressions replaced. Raises `TemplateProblem`."""
    if not is_template(text):
        return text
    from jinja2 import TemplateError

    try:
        result = _parsed(text).render(values)
    except TemplateError as error:
        raise TemplateProblem(f"cannot be filled in: {error.message}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise TemplateProblem(f"cannot be filled in: {error}") from None
    if len(result) > LONGEST:
        raise TemplateProblem(f"grows beyond {LONGEST} characters")
    return result


def is_template(text: str) -> bool:
    """Whether anything in it has to be filled in."""
    return "{{" in text or "{%" in text


def values_for(user: str, server: str, namespace: str) -> dict[str, Any]:
    """What texts may speak of, for one server."""
    return {
        "spawner": {"user": {"name": user}, "name": server},
        "user": {"name": user},
        "namespace": namespace,
    }


def _replace(text: Any, old: str, new: str) -> str:
    result = str(text)
    if len(result) + result.count(old) * len(new) > LONGEST:
        raise ValueError(f"it grows beyond {LONGEST} characters")
    return result.replace(old, new)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Comments are no part of it: `${#list[@]}` of a shell script would begin one.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        comment_start_string="\0#",
        comment_end_string="#\0",
    )
    environment.filters = {name: environment.filters[name] for name in _FILTERS} | {"replace": _replace}
    environment.globals = {}
    return environment


@lru_cache(maxsize=256)
def _parsed(text: str) -> Template:
    environment = _environment()
    for node in _walk(environment.parse(text)):
        if type(node).__name__ not in _NODES:
            raise TemplateProblem(
                f"uses {type(node).__name__.lower()}, which is not allowed: values, conditions and the filters "
                f"{', '.join(_FILTERS)} are"
            )
    return environment.from_string(text)


def _walk(node: Any) -> Any:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)
