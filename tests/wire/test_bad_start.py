"""A hub that cannot start says why, in words and an exit status; a server that cannot, too."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apphub.kit.addresses import Address
from hubs import APPHUB, TRIAL, RunningHub, free_port, until

Told = subprocess.CompletedProcess[str]


def serve(*arguments: str, cwd: Path) -> Told:
    """Run `apphub serve` until it gives up, which it must do soon."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APPHUB_")}
    with subprocess.Popen(
        [str(APPHUB), "serve", *arguments],
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.terminate()  # in order, with its edge
            pytest.fail(f"it serves: {process.communicate(timeout=60)}")
    return Told(process.args, process.returncode, out, err)


def assert_in_words(told: Told, status: int, *words: str) -> None:
    shown = f"{told.stdout}\n{told.stderr}"
    assert told.returncode == status, shown
    assert "Traceback" not in shown
    for word in words:
        assert word in told.stderr
    assert len(told.stderr.splitlines()) <= 6, "a few words, not a log"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken_is_named_and_nothing_runs_on(tmp_path: Path, taken_port: int) -> None:
    told = serve("--data-dir", "data", "--bind", f"127.0.0.1:{taken_port}", cwd=tmp_path)
    assert_in_words(told, 1, f"127.0.0.1:{taken_port}", "taken by another program", "bind")
    assert not (tmp_path / "data" / "run" / "edge-1" / "envoy.pid").exists()

    # The same folder serves as soon as there is a port.
    again = serve("--data-dir", "data", "--bind", f"127.0.0.1:{taken_port}", cwd=tmp_path)
    assert_in_words(again, 1, "taken by another program")


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    told = serve("--data-dir", "data", "--bind", f"192.0.2.7:{free_port()}", cwd=tmp_path)
    assert_in_words(told, 1, "192.0.2.7", "not an address of this machine")


@pytest.mark.parametrize(
    "bind", ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "host.example:80", "[::1:80"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_made(tmp_path: Path, bind: str) -> None:
    told = serve("--data-dir", "data", "--bind", bind, cwd=tmp_path)
    assert told.returncode == 2, told.stderr
    assert "bind" in told.stderr
    assert not (tmp_path / "data").exists()


def test_a_file_where_the_data_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("precious")
    told = serve("--data-dir", "data", "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert_in_words(told, 1, str(tmp_path / "data"), "data folder", "--data-dir")
    assert (tmp_path / "data").read_text() == "precious"


@pytest.mark.parametrize("folder", ["/proc/apphub-data", "/proc/self/fdinfo"])
def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, folder: str) -> None:
    told = serve("--data-dir", folder, "--bind", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert_in_words(told, 1, folder.rpartition("/")[2], "data folder", "--data-dir")


def test_a_second_hub_on_a_data_folder_names_the_first_and_leaves_it_alone(tmp_path: Path) -> None:
    with RunningHub(TRIAL) as first:
        address = Address("127.0.0.1", free_port())
        told = serve("--data-dir", str(first.data_dir), "--bind", str(address), cwd=tmp_path)
        assert_in_words(told, 1, f"process {first.pid}", str(first.data_dir), "--data-dir")
        assert first.ask("GET", "info").status_code == 200
        assert first.edge_pid is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("login: [", ("apphub.yaml:1",)),
        ("limits:\n  named_servers_per_user: lots\n", ("apphub.yaml:2", "named_servers_per_user")),
        ("limts: {}\n", ("apphub.yaml:1", "limts", "limits")),
        ("a: &a [*a]\n", ("apphub.yaml",)),
        ("- just\n- a list\n", ("apphub.yaml",)),
        ("\x00\x01", ("apphub.yaml",)),
        ("base_url: apps\n", ("apphub.yaml:1", "slash at both ends")),
    ],
)
def test_broken_settings_are_told_with_file_and_line(
    tmp_path: Path, content: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "apphub.yaml").write_text(content)
    told = serve(cwd=tmp_path)
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    for word in words:
        assert word in told.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["apphub.yaml"]


def test_settings_that_do_not_exist_are_named(tmp_path: Path) -> None:
    told = serve("--config", "nowhere.yaml", cwd=tmp_path)
    assert told.returncode == 2
    assert "nowhere.yaml" in told.stderr
    assert list(tmp_path.iterdir()) == []


PROFILES = [
    {
        "slug": "missing",
        "display_name": "Missing",
        "kind": "command",
        "command": ["/nowhere/a-program"],
        "groups": "everyone",
        "default": True,
    },
    {
        "slug": "quitting",
        "display_name": "Quitting",
        "kind": "command",
        "command": ["sh", "-c", "echo the disk is full >&2; exit 3"],
        "groups": "everyone",
    },
    {
        "slug": "nowhere",
        "display_name": "Nowhere",
        "kind": "command",
        "command": ["sleep", "60"],
        "working_dir": "/nowhere/at-all",
        "groups": "everyone",
    },
]


@pytest.fixture(scope="module")
def failing_hub() -> Iterator[RunningHub]:
    with RunningHub({**TRIAL, "profiles": PROFILES}) as hub:
        assert hub.ask("POST", "users/ada").status_code == 201
        yield hub


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("missing", ("/nowhere/a-program", "not found")),
        ("quitting", ("3", "the disk is full")),
        ("nowhere", ("/nowhere/at-all", "does not exist")),
    ],
)
def test_a_start_that_cannot_succeed_fails_at_once_with_the_reason(
    failing_hub: RunningHub, profile: str, words: tuple[str, ...]
) -> None:
    began = time.monotonic()
    answer = failing_hub.ask("POST", "users/ada/servers/lab", json={"profile": profile})
    took = time.monotonic() - began

    assert answer.status_code == 500, answer.text
    told = answer.json()
    assert told["status"] == 500
    for word in words:
        assert word in told["message"]
    assert took < 8, "it did not wait for a time-out"
    server = failing_hub.server("ada", "lab")
    assert (server["ready"], server["pending"], server["stopped"]) == (False, None, True)
    until(lambda: not failing_hub.server_pids(), "nothing of it is left")


def test_the_page_of_such_a_start_tells_the_reason(failing_hub: RunningHub) -> None:
    with failing_hub.sign_in("ada") as browser:
        sent = failing_hub.post_form(browser, "hub/spawn/ada/page", profile="missing")
        assert sent.status_code == 302
        until(lambda: failing_hub.server("ada", "page").get("pending") is None, "it has failed")
        page = browser.get(sent.headers["location"])
    assert page.status_code == 200
    assert "/nowhere/a-program" in page.text
    assert "not found" in page.text


def test_a_failed_start_is_no_defect_of_the_hub(failing_hub: RunningHub) -> None:
    assert failing_hub.ask("POST", "users/ada/servers/lab").status_code == 500
    assert "Traceback" not in failing_hub.logs
