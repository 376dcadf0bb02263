"""A YAML file as plain values, with the line of each.

The parser's own constructor is not used: it silently lets a later duplicate key win, reads
`no` as false and `1:30` as 90, and forgets lines. Here the tree of nodes is walked: only
text, whole numbers, numbers, true, false, null, lists and maps come out, as in YAML 1.2.
Aliases and `<<` work, within bounds: a small file cannot grow into a large value.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, field
from yaml.reader import ReaderError

from apphub.settings.problems import Problem, SettingsError, written
from apphub.settings.values import Place

#: Most bytes of a settings file.
LARGEST = 2**20
_MOST_NODES = 100_000
_DEEPEST = 40

_INT = re.compile(r"[-+]?[0-9]{1,300}", re.ASCII)
_RADIX = re.compile(r"0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_TAG = "tag:yaml.org,2002:"
#: What the parser takes plain text for; only its guess at text is of use here.
_PLAIN_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
_MERGE = f"{_TAG}merge"


class Document(Struct):
    """The values of a file, and the line of every key and item."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)


def read_document(path: Path) -> Document:
    """Read a settings file. Raises `SettingsError` with every problem of its form."""
    return parse_document(_read(path), path)


def parse_document(text: str, path: Path) -> Document:
    """The values of a text, which `path` names in what is wrong with it. Raises `SettingsError`."""
    try:
        # Composing builds nodes only; nothing is constructed from tags.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise SettingsError([Problem(_where(path, error.problem_mark), "", _words(error))]) from None
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        words = f"has the character {ord(text[error.position]):#06x}, which YAML does not allow"
        raise SettingsError([Problem(f"{path}:{line}", "", words)]) from None
    except RecursionError:
        raise SettingsError([Problem(str(path), "", "is nested too deeply")]) from None
    walk = _Walk(path)
    values = walk.value(node, ()) if node is not None else {}
    if not isinstance(values, dict) and values is not None:
        walk.problems.append(
            Problem(f"{path}:1", "", "must be a map: lines such as `bind: [127.0.0.1:8000]`")
        )
    if walk.problems:
        raise SettingsError(walk.problems)
    return Document(values or {}, walk.lines)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise SettingsError([Problem(str(path), "", "is larger than 1 MiB; that is no settings file")])
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError([Problem(str(path), "", "there is no such file")]) from None
    except OSError as error:
        words = (error.strerror or "it failed").lower()
        raise SettingsError([Problem(str(path), "", f"cannot be read: {words}")]) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsError([Problem(f"{path}:{line}", "", "is not text (UTF-8)")]) from None


def _where(path: Path, mark: yaml.Mark | None) -> str:
    return f"{path}:{mark.line + 1}" if mark is not None else str(path)


def _words(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.context, error.problem) if part)
    advice = {
        "found character '\\t'": "; indent with spaces, not tabs",
        "mapping values are not allowed": "; put text that holds a colon in quotes, and check the indentation",
        "found undefined alias": "; define it with & first, or put text that begins with * in quotes",
        "expected <block end>": "; check the indentation",
        "expected a single document": "; leave out the second `---`",
    }
    hint = next((hint for words, hint in advice.items() if words in said), "")
    return f"is not YAML: {said}{hint}"


class _TooMuch(Exception):
    """The value would outgrow its bounds."""


class _Walk:
    """One walk over the nodes; collects lines and problems."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._path = path
        self._nodes = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        try:
            return self._value(node, place)
        except _TooMuch as error:
            self.problems.append(Problem(_where(self._path, node.start_mark), "", str(error)))
            return None

    def _problem(self, node: yaml.Node, place: Place, message: str) -> None:
        self.problems.append(Problem(_where(self._path, node.start_mark), written(place), message))

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise _TooMuch("grows too large: aliases multiply its content")
        if id(node) in self._open or len(self._open) >= _DEEPEST:
            raise _TooMuch("is nested too deeply, or an alias holds itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return self._map(node, place)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [self._item(item, (*place, position)) for position, item in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, place)
            self._problem(
                node, place, f"has the tag {node.tag.replace(_TAG, '!!')}, which settings do not use"
            )
            return None
        finally:
            self._open.discard(id(node))

    def _item(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        return self._value(node, place)

    def _map(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        merged = [value for key, value in node.value if key.tag == _MERGE]
        for value in merged:
            result |= self._merge(value, place)
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, place, "has a key that is not text")
                continue
            name, line = key.value, key.start_mark.line + 1
            if name in first_lines:
                self._problem(key, (*place, name), f"appears twice; the first is in line {first_lines[name]}")
                continue
            first_lines[name] = line
            self.lines[*place, name] = line
            result[name] = self._value(value, (*place, name))
        return result

    def _merge(self, node: yaml.Node, place: Place) -> dict[str, Any]:
        # Of several maps the earlier wins, so they are laid over each other from the last.
        parts = list(reversed(node.value)) if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for part in parts:
            value = self._value(part, place) if isinstance(part, yaml.MappingNode) else None
            if isinstance(value, dict):
                result |= value
            else:
                self._problem(part, place, "`<<` takes an alias of a map, or a list of them")
        return result

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        text: str = node.value
        if node.tag.removeprefix(_TAG) not in _PLAIN_TAGS:
            self._problem(
                node, place, f"has the tag {node.tag.replace(_TAG, '!!')}, which settings do not use"
            )
            return None
        quoted = node.style in ("'", '"', "|", ">")
        return text if quoted else _plain(text)


def _plain(text: str) -> Any:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in (text.lower(), text.title(), text.upper()):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
