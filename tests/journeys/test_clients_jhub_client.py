"""jhub-client, unmodified: the commands of its README run notebooks on servers of the hub.

It starts a server, makes a kernel and runs each cell over a websocket, so what it writes down
came through the edge.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clients
import lab
import pytest

from hubs import PASSWORD, RunningHub, until

SERVICE_TOKEN = "a-token-of-a-service-0123456789"


@pytest.fixture(scope="module")
def hub(jupyterlab: str) -> Iterator[RunningHub]:
    """A hub whose default app is JupyterLab, and a service that may do what administrators may."""
    config = lab.offering(jupyterlab)
    config["profiles"][0] |= {"groups": "everyone", "default": True}
    config["services"] = [{"name": "runner", "api_token": SERVICE_TOKEN, "admin": True}]
    with RunningHub(config) as hub:
        yield hub


def written(file: Path, cells: list[tuple[str, str]]) -> Path:
    """A notebook of cells with their results."""
    file.write_text(
        json.dumps(
            {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell(*one) for one in cells]}
        )
    )
    return file


def cell(source: str, result: str) -> dict[str, Any]:
    """One cell."""
    output = {
        "output_type": "execute_result",
        "data": {"text/plain": [result]},
        "metadata": {},
        "execution_count": 1,
    }
    return {
        "cell_type": "code",
        "source": [source],
        "outputs": [output],
        "metadata": {},
        "execution_count": 1,
    }


def jhubctl(hub: RunningHub, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run its command."""
    return subprocess.run(
        [str(clients.environment() / "bin" / "jhubctl"), *arguments, "--hub", hub.url.rstrip("/")],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def stopped(hub: RunningHub, user: str) -> bool:
    return bool(hub.server(user).get("stopped", True))


def test_it_runs_a_notebook_as_the_owner_of_the_token_and_stops_the_server(
    hub: RunningHub, tmp_path: Path
) -> None:
    notebook = written(
        tmp_path / "n.ipynb", [("6 * 7", "42"), ("import os; os.environ['JUPYTERHUB_USER']", "'ada'")]
    )
    output = tmp_path / "results.ipynb"
    ran = jhubctl(
        hub,
        "--verbose",
        "run",
        f"--notebook={notebook}",
        "--validate",
        "--stop-server",
        "--kernel-spec=python3",
        '--user-options={"profile": "jupyterlab"}',
        f"--output-filename={output}",
        JUPYTERHUB_API_TOKEN=hub.token_for("ada"),
    )
    assert ran.returncode == 0, ran.stderr
    results = [one["outputs"][0]["data"]["text/plain"] for one in json.loads(output.read_text())["cells"]]
    assert results == ["42", "'ada'"]
    assert stopped(hub, "ada")
    assert hub.server("ada")["user_options"] == {"profile": "jupyterlab"}


def test_it_tells_of_a_result_that_is_not_the_expected_one(hub: RunningHub, tmp_path: Path) -> None:
    notebook = written(tmp_path / "n.ipynb", [("6 * 7", "43")])
    ran = jhubctl(
        hub, "run", f"--notebook={notebook}", "--validate", JUPYTERHUB_API_TOKEN=hub.token_for("ada")
    )
    assert ran.returncode != 0
    assert "did not match expected result" in ran.stderr


@pytest.mark.parametrize("holder", ["administrator", "service"])
def test_it_runs_a_notebook_as_a_temporary_user_and_deletes_it(
    hub: RunningHub, tmp_path: Path, holder: str
) -> None:
    notebook = written(tmp_path / "n.ipynb", [("import os; os.environ['JUPYTERHUB_USER']", "'guest'")])
    token = hub.token if holder == "administrator" else SERVICE_TOKEN
    arguments = (
        "--temporary-user",
        "--username=guest",
        f"--notebook={notebook}",
        "--validate",
        "--stop-server",
    )
    ran = jhubctl(hub, "run", *arguments, JUPYTERHUB_API_TOKEN=token)
    assert ran.returncode == 0, ran.stderr
    assert hub.ask("GET", "users/guest").status_code == 404


def test_a_service_runs_a_notebook_as_somebody_who_exists(hub: RunningHub, tmp_path: Path) -> None:
    notebook = written(tmp_path / "n.ipynb", [("import os; os.environ['JUPYTERHUB_USER']", "'bob'")])
    assert hub.ask("POST", "users/bob").status_code == 201
    arguments = ("--username=bob", f"--notebook={notebook}", "--validate", "--stop-server")
    ran = jhubctl(hub, "run", *arguments, JUPYTERHUB_API_TOKEN=SERVICE_TOKEN)
    assert ran.returncode == 0, ran.stderr
    assert stopped(hub, "bob")


def test_it_leaves_a_notebook_running_when_asked_to(hub: RunningHub, tmp_path: Path) -> None:
    mark = tmp_path / "done"
    notebook = written(tmp_path / "n.ipynb", [(f"open({str(mark)!r}, 'w').close()", "")])
    ran = jhubctl(
        hub, "run", "--daemonize", f"--notebook={notebook}", JUPYTERHUB_API_TOKEN=hub.token_for("cleo")
    )
    assert ran.returncode == 0, ran.stderr
    until(mark.exists, "the cell has run")
    assert hub.server("cleo")["ready"]


def test_its_library_asks_what_it_asks(hub: RunningHub) -> None:
    script = """
import asyncio, json, sys
from jhub_client.api import JupyterHubAPI

async def main():
    async with JupyterHubAPI(sys.argv[1]) as hub:
        print(json.dumps({
            "info": await hub.info(),
            "users": [user["name"] for user in await hub.list_users()],
            "routes": await hub.list_proxy(),
            "token": await hub.identify_token(hub.api_token),
            "nobody": await hub.get_user("nobody-of-this-name"),
            "stopped": await hub.ensure_server_deleted("admin", timeout=10),
        }))

asyncio.run(main())
"""
    ran = subprocess.run(
        [clients.python(), "-c", script, hub.url.rstrip("/")],
        env={"PATH": os.environ["PATH"], "JUPYTERHUB_API_TOKEN": hub.token},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["info"]["version"] == "6.1.1"
    assert "admin" in found["users"]
    assert found["token"]["name"] == "admin"
    assert found["nobody"] is None
    assert isinstance(found["routes"], dict)


def test_its_sign_in_by_form_is_refused_as_by_jupyterhub_and_the_api_does_instead(hub: RunningHub) -> None:
    ran = jhubctl(hub, "token", JUPYTERHUB_USERNAME="ada", JUPYTERHUB_PASSWORD=PASSWORD)
    # It sends no `_xsrf`, which JupyterHub asks for since version 4.
    assert ran.returncode != 0
    assert "KeyError: 'token'" in ran.stderr
    assert hub.ask("GET", "user", token=hub.token_for("ada")).json()["name"] == "ada"
