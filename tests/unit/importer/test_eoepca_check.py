"""`apphub check` reads the files of profiles too, and tells what a process is not given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "samples" / "eoepca" / "config.yml"


def check(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "apphub.yaml").write_text(text)
    return subprocess.run(
        [sys.executable, "-c", "from apphub.cli import main; main()", "check"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_kept_without_effect_is_a_warning(tmp_path: Path) -> None:
    told = check(tmp_path, f"profile_files: [{FILE}]\n")
    assert told.returncode == 0, told.stderr
    first, *rest = told.stdout.splitlines()
    assert first.endswith("fine. Profiles: eoepca_jupyter_lab, eoepca_demo_init_script, iga_remote_desktop.")
    assert any("node_selector (needs a cluster" in line for line in rest)
    assert any(line.startswith(f"warning: {FILE}:") and "mount_propagation" in line for line in rest)


def test_a_mistake_in_a_named_file_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(
        "profiles:\n- id: x\n  definition: {kubespawner_override: {cpu_limit: many}}\n"
    )
    told = check(tmp_path, "profile_files: [config.yml]\n")
    assert told.returncode == 1
    assert f"{tmp_path}/config.yml:3: profiles[0].definition.kubespawner_override.cpu_limit:" in told.stderr
    told = check(tmp_path, "profile_files: [nothing.yml]\n")
    assert (told.returncode, told.stderr) == (1, f"{tmp_path}/nothing.yml: there is no such file\n")
