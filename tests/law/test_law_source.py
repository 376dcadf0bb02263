"""What no line of the source may do, found by looking at all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "apphub"

#: Packages whose patterns decide what is let through; half a match lets too much through.
POLICY = (
    "access",
    "api",
    "gate",
    "kit",
    "login",
    "oauth",
    "pages",
    "passes",
    "people",
    "profiles",
    "servers",
    "shares",
    "web",
)


def _files(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE).parts[0]
        if not packages or inside in packages:
            yield path, ast.parse(path.read_text())


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_patterns_of_policy_match_the_whole_text() -> None:
    # `re.match` leaves the end open, `$` lets a line break pass: only `fullmatch` says what it means.
    found = [
        f"{path.relative_to(SOURCE)}:{call.lineno}"
        for path, tree in _files(*POLICY)
        for name, call in _calls(tree)
        if name == "re.match" or (name.endswith(".match") and name.isupper()) or name == "_RE.match"
    ]
    assert found == []


def test_no_program_is_started_by_a_shell() -> None:
    found = []
    for path, tree in _files():
        for name, call in _calls(tree):
            shell = any(
                word.arg == "shell"
                and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                for word in call.keywords
            )
            if shell or name in (
                "os.system",
                "os.popen",
                "subprocess.getoutput",
                "asyncio.create_subprocess_shell",
            ):
                found.append(f"{path.relative_to(SOURCE)}:{call.lineno}")
    assert found == []


def test_nothing_from_outside_is_run_or_unpickled() -> None:
    banned = {"eval", "exec", "pickle.loads", "pickle.load", "marshal.loads", "yaml.load", "yaml.unsafe_load"}
    loaders = {"load"}  # of the settings: a SafeLoader's, named where it is used
    for path, tree in _files():
        for name, call in _calls(tree):
            if name == "yaml.load" and path.name.removesuffix(".py") in loaders | {"document"}:
                assert "Loader" in ast.unparse(call), path
                continue
            assert name not in banned, f"{path.relative_to(SOURCE)}:{call.lineno}"


def test_no_page_takes_text_for_markup() -> None:
    for path, tree in _files("pages", "web", "api"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                assert name not in ("Markup", "mark_safe"), f"{path.relative_to(SOURCE)}:{node.lineno}"


def test_secrets_are_compared_in_constant_time() -> None:
    # A name that says it is a secret is never compared by ==.
    words = ("password", "secret", "digest", "token")
    for path, tree in _files("access", "login", "oauth", "passes", "gate", "web"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                continue
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue  # compared with a literal: no secret
            names = [ast.unparse(side) for side in sides]
            in_sql = any(name.startswith(("k.", "s.", "t.", "u.", "f.", "o.", "p.", "c.")) for name in names)
            bad = [name for name in names if name.rpartition(".")[2].lower() in words]
            assert in_sql or not bad, f"{path.relative_to(SOURCE)}:{node.lineno}: {names}"


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(SOURCE))
        for path, tree in _files()
        if tree.body and ast.get_docstring(tree) is None and "versions" not in path.parts
    ]
    assert silent == []


def test_files_stay_small_enough_to_be_read_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in (SOURCE, ROOT / "tests")
        for path in sorted(folder.rglob("*.py"))
        if "versions" not in path.parts and "conformance" not in path.parts and "bench" not in path.parts
        if (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}


def test_nothing_is_left_for_later() -> None:
    marks = tuple(word + mark for word in ("TODO", "FIXME", "XXX", "HACK") for mark in (":", " ", "("))
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        assert not any(mark in text for mark in marks), path
        assert "NotImplementedError" not in text or path.name == "needs.py", path
