"""The numbers that hubs and edges hold in a data folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apphub.errors import Unavailable
from apphub.folder import FolderInUse, hold, open_folder, others


def test_hubs_and_edges_that_start_together_make_one_folder(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number) / "data"
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(open_folder, [folder] * 64)) == {folder}
        assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be used: Not a directory") as refused:
        open_folder(tmp_path / "file" / "data")
    assert "--data-dir" in (refused.value.advice or "")


def test_each_gets_the_least_number_that_is_free_and_gives_it_back(tmp_path: Path) -> None:
    with hold(tmp_path, "hub") as one:
        assert not others(tmp_path, "hub", one)
        with hold(tmp_path, "hub") as two:
            assert (one, two) == (1, 2)
            assert others(tmp_path, "hub", one)
            assert others(tmp_path, "hub", two)
        with hold(tmp_path, "hub") as again:
            assert again == 2
        with hold(tmp_path, "edge") as edge:
            assert edge == 1


def test_one_that_must_be_alone_is_refused_in_words_beside_another(tmp_path: Path) -> None:
    with (
        hold(tmp_path, "hub", alone=True),
        pytest.raises(FolderInUse, match="uses the data folder") as refused,
        hold(tmp_path, "hub", alone=True),
    ):
        pass
    assert "PostgreSQL" in (refused.value.advice or "")
    with hold(tmp_path, "hub", alone=True) as number:
        assert number == 1


def test_an_edge_finds_the_number_it_had_whoever_comes_back_first(tmp_path: Path) -> None:
    with hold(tmp_path, "edge", mark="127.0.0.1:8000"), hold(tmp_path, "edge", mark="127.0.0.1:8001"):
        pass
    with (
        hold(tmp_path, "edge", mark="127.0.0.1:8001") as second,
        hold(tmp_path, "edge", mark="127.0.0.1:8000") as first,
    ):
        assert (first, second) == (1, 2)
