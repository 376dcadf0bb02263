"""Whatever is written, there are settings or there are words: never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.settings import Problem, Settings, SettingsError, load
from apphub.settings.environment import variable
from apphub.settings.shapes import keys

NAMES = sorted({key.path.rpartition(".")[2] for key in keys(Settings)})
VARIABLES = sorted({variable(key.path) for key in keys(Settings) if "[]" not in key.path})
TEXTS = [
    "",
    "0",
    "-1",
    "1e999",
    "a,b",
    "{",
    "{}",
    "[]",
    "null",
    "{option:x}",
    "127.0.0.1:1",
    "~",
    "\0",
    "(",
    "9" * 400,
]

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS) | st.text(max_size=4)
)
names = st.sampled_from(NAMES) | st.text(max_size=3)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


def complaints(path: Path | None, environ: dict[str, str]) -> tuple[Problem, ...]:
    try:
        load(path, environ)
    except SettingsError as error:
        return error.problems
    return ()


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, values, max_size=5))
def test_junk_in_the_file_ends_in_words(data: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.yaml"
        file.write_text(json.dumps(data))
        assert all(problem.message for problem in complaints(file, {}))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(VARIABLES), values.map(json.dumps) | st.sampled_from(TEXTS), max_size=4)
)
def test_junk_in_variables_ends_in_words(environ: dict[str, str]) -> None:
    # A key that is missing is in no variable.
    assert all(
        problem.where in environ or problem.message == "is missing" for problem in complaints(None, environ)
    )
