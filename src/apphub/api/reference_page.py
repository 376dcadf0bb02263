"""The reference of the API as Markdown, generated so that it cannot lag behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apphub.web.apidoc import Book, Operation, Shape, book

_HEAD = """\
# API

Made from the code by `apphub reference api`; do not edit. A hub serves the same as OpenAPI 3.1 at
`/hub/api/openapi.json` and as a page at `/hub/api-docs`. Where it differs from JupyterHub:
[compatibility](compatibility.md).
"""


def reference(document: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(book(document))) + "\n"


def _lines(whole: Book) -> Iterator[str]:
    yield _HEAD
    yield whole.about
    for section in whole.sections:
        yield f"\n## {section.name}\n\n{section.about}"
        for operation in section.operations:
            yield from _operation(operation)
    yield "\n## Shapes\n\nA key without a mark may be missing: in an answer because the caller may not see it."
    for shape in whole.shapes:
        yield from _shape(shape)


def _operation(one: Operation) -> Iterator[str]:
    yield f"\n### {one.method} {one.path}\n\n{one.about}\n"
    yield f"* Needs {one.needs}."
    if one.body:
        yield f"* Takes {one.body}."
    for query in one.query:
        yield f"* `?{query.name}=` ({query.kind}): {query.about}"
    for header in one.headers:
        yield f"* `{header.name}:` ({header.kind}): {header.about}"
    for answer in one.answers:
        yield f"* {answer.status}" + (f": {answer.kind}" if answer.kind else "") + f". {answer.about}"


def _shape(shape: Shape) -> Iterator[str]:
    yield f"\n### {shape.name}\n\n{shape.about}"
    if shape.words:
        yield f"\n{shape.words}"
    if shape.fields:
        yield "\n| key | | what |\n|---|---|---|"
    for field in shape.fields:
        what = f"{field.kind}. {field.about}" if field.about else field.kind
        mark = "always" if field.required else ""
        yield f"| `{field.name}` | {mark} | {what.replace('|', chr(92) + '|')} |"
