"""Files that several processes make together, and which process is which."""

from __future__ import annotations

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apphub.kit.files import settle, write_private
from apphub.kit.processes import lives, start_time, this_process


def test_of_many_that_write_a_file_at_once_one_does_and_all_read_the_same(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with ThreadPoolExecutor(16) as pool:
        said = set(pool.map(lambda number: settle(file, f"number {number}"), range(64)))
    assert said == {file.read_text()}
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_many_that_put_a_file_in_place_at_once_all_do_and_nobody_reads_half_of_it(tmp_path: Path) -> None:
    """As two hubs do whose containers share a folder: there they may have the same process id, too."""
    file = tmp_path / "key"
    contents = {f"{number}" * 10_000 for number in range(10)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda content: write_private(file, content.encode()), [*contents] * 8))
    assert file.read_text() in contents
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_where_the_disk_is_full_nothing_is_left_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    write_private(file, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        settle(tmp_path / "other", "new")
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == b"old"


def test_a_process_is_known_until_it_ends_and_not_by_its_number_alone() -> None:
    here = this_process()
    assert lives(here)
    boot, pid, start = here.split(":")
    assert not lives(f"{boot}:{pid}:{int(start) + 1}")
    assert not lives(f"another:{pid}:{start}")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        other = f"{boot}:{child.pid}:{start_time(child.pid)}"
        assert lives(other)
        child.kill()
        child.wait()
    assert not lives(other)
