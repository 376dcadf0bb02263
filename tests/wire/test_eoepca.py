"""A configuration of EOEPCA's Application Hub: each sees just their apps, and they run as processes.

In the original, the form shows what the groups allow, and a start by the API is not asked
about them. Here both ask the same gate.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hubs import TRIAL, RunningHub, until

FILE = Path(__file__).parents[1] / "samples" / "eoepca" / "config.yml"
#: Shows its working folder, which is the home that the profile gives it.
SERVER = [sys.executable, "-m", "http.server", "--bind", "{ip}", "{port}"]
LAB, CODER, DESKTOP = "eoepca_jupyter_lab", "eoepca_demo_init_script", "iga_remote_desktop"
CONFIG: dict[str, Any] = {
    **TRIAL,
    "groups": {"group-a": {"members": ["ada"]}, "group-b": {}, "group-c": {"members": ["carl"]}},
    "profile_files": [str(FILE)],
    "images": {
        "jupyter/scipy-notebook": {"kind": "hello"},
        "eoepca/pde-code-server": {"command": SERVER, "strip_prefix": True},
    },
    "config_maps": {"gitlabenv": {"GITLAB_TOKEN": "told"}, "shared-settings": {"REGION": "north"}},
}


@pytest.fixture(scope="module")
def eoepca() -> Iterator[RunningHub]:
    with RunningHub(CONFIG) as hub:
        yield hub


def offered(hub: RunningHub, user: str) -> list[str]:
    return [one["slug"] for one in hub.ask("GET", "profiles", token=hub.token_for(user)).json()]


def test_each_user_is_shown_just_the_apps_of_their_groups(eoepca: RunningHub) -> None:
    assert offered(eoepca, "ada") == [CODER]
    assert offered(eoepca, "carl") == [LAB]
    assert offered(eoepca, "dora") == []
    with eoepca.sign_in("ada") as browser:
        form = browser.get("hub/spawn/ada").text
    assert "Coder demo init script" in form
    assert "Jupyter Lab" not in form


@pytest.mark.parametrize("body", [{"profile": LAB}, {"user_options": {"profile": LAB}}])
def test_the_api_starts_nothing_that_the_form_would_not_show(
    eoepca: RunningHub, body: dict[str, Any]
) -> None:
    refused = eoepca.ask("POST", "users/ada/servers/x", token=eoepca.token_for("ada"), json=body)
    assert refused.status_code == 403, refused.text
    assert "group-c" in refused.text
    assert eoepca.server("ada", "x") == {}


def test_a_gated_app_starts_for_its_group(eoepca: RunningHub) -> None:
    started = eoepca.ask("POST", "users/carl/server", token=eoepca.token_for("carl"), json={"profile": LAB})
    assert started.status_code in (201, 202), started.text
    eoepca.ready("carl")


def test_volumes_config_maps_and_first_commands_are_there_for_the_app(eoepca: RunningHub) -> None:
    token = eoepca.token_for("ada")
    assert (
        eoepca.ask("POST", "users/ada/servers/code", token=token, json={"profile": CODER}).status_code < 300
    )
    eoepca.ready("ada", "code")
    with eoepca.client(token) as client:

        def read(path: str) -> httpx.Response:
            return client.get(f"user/ada/code/{path}", follow_redirects=True)

        made = until(
            lambda: answer if (answer := read("project/README")).status_code == 200 else None, "README"
        )
        assert made.text == "prepared for ada\n"
        rc = read(".bashrc").text
        assert "localstack-jupyter-ada:4566" in rc
        assert "${#parts[@]}" in rc
    home = eoepca.data_dir / "homes" / "ada" / ".apphub"
    (own,) = (home / "servers").iterdir()
    assert (own / "volumes" / "calrissian-claim" / "started").exists()

    assert eoepca.ask("DELETE", "users/ada/servers/code").status_code in (202, 204)
    until(lambda: not own.exists(), "what does not persist goes with the server")
    assert (home / "volumes" / "workspace-claim" / "project" / "README").exists()


def test_the_app_has_the_variables_of_its_profile(eoepca: RunningHub) -> None:
    assert (
        eoepca.ask(
            "POST", "users/ada/servers/env", token=eoepca.token_for("ada"), json={"profile": CODER}
        ).status_code
        < 300
    )
    eoepca.ready("ada", "env")
    process = max(
        pid
        for pid, name in eoepca.server_pids().items()
        if (Path(f"/proc/{pid}/cmdline").read_bytes().find(b"http.server") >= 0)
    )
    env = dict(
        part.split("=", 1) for part in Path(f"/proc/{process}/environ").read_text().split("\0") if part
    )
    workspace = eoepca.data_dir / "homes" / "ada" / ".apphub" / "volumes" / "workspace-claim"
    assert env["HOME"] == str(workspace)
    assert env["CONDA_ENVS_PATH"] == f" {workspace}/.envs"
    assert (env["GITLAB_TOKEN"], env["REGION"], env["WORKERS"]) == ("told", "north", "10")
    assert env["NAMESPACE"] == "jupyter-ada"
    assert env["MEM_LIMIT"] == str(6 * 2**30)


def test_an_app_whose_image_nothing_runs_is_refused_in_words(eoepca: RunningHub) -> None:
    eoepca.ask("POST", "users/bob")
    eoepca.ask("POST", "groups/group-b/users", json={"users": ["bob"]})
    refused = eoepca.ask("POST", "users/bob/server", token=eoepca.token_for("bob"), json={"profile": DESKTOP})
    assert refused.status_code == 400
    assert "made for the image eoepca/iga-remote-desktop" in refused.json()["message"]
