"""What the README says first is true: its example runs, its picture and its links are there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from hubs import TOP, RunningHub

README = (TOP / "README.md").read_text()


def test_the_example_runs_against_a_hub_with_the_sample_settings() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for words in ("http://127.0.0.1:8000", "<password>"):
        assert words in example
    with RunningHub(command=_as_make_run_does()) as hub:
        script = example.replace("http://127.0.0.1:8000", hub.origin).replace("<password>", hub.password)
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
        )
        assert ran.stdout == "201\n", ran.stdout + ran.stderr
        assert hub.ready("mrossi", "labs")["url"] == "/user/mrossi/labs/"


def _as_make_run_does() -> list[str]:
    apphub = shutil.which("apphub", path=str(sys.executable).rpartition("/")[0])
    assert apphub is not None
    return [apphub, "serve", "--config", "apphub.yaml", "--bind", "{bind}", "--data-dir", "{data}"]


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_what_the_readme_links_to_is_there(target: str) -> None:
    assert (TOP / target).exists()


def test_the_readme_fits_on_one_screen_and_a_bit() -> None:
    assert len(README.splitlines()) < 70
