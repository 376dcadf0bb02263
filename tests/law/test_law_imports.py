"""The law of imports is kept, and would notice if it were not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def _lint(source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--config", ROOT / ".importlinter", "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(source)},
        cwd=source,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_imports_go_down_only() -> None:
    result = _lint(ROOT / "src")
    assert result.returncode == 0, result.stdout[-4000:]


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("kit/urls.py", "def f() -> None:\n    import apphub.hub", "Imports go down only"),
        ("people/model.py", "import apphub.people.store", "Inside a domain"),
        ("api/users.py", "import sqlalchemy", "Only stores speak SQL"),
        ("servers/actions.py", "def f() -> None:\n    import litestar", "Only doors speak HTTP"),
        ("runtimes/null.py", "import apphub.runtimes.process.driver", "Drivers are blind"),
        ("nowhere.py", "X = 1", "Imports go down only"),
    ],
)
def test_what_breaks_the_law_is_found(tmp_path: Path, file: str, line: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "src/apphub" / file).open("a") as changed:
        changed.write(f"\n{line}\n")
    result = _lint(tmp_path / "src")
    assert result.returncode != 0
    if file != "nowhere.py":  # a module without a layer is an error of the law itself
        assert any(contract in row and "BROKEN" in row for row in result.stdout.splitlines()), result.stdout
