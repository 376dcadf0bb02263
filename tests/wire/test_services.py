"""Services: run by the hub or by somebody else, reached at /services/NAME/ through the edge."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import service_program

from apphub.kit.secrets import Keys
from apphub.kit.urls import Urls
from apphub.services.launch import service_spec
from apphub.settings import Service
from hubs import TRIAL, RunningHub, free_port, until

PROGRAM = str(Path(service_program.__file__))


def service(name: str, *arguments: str, **more: Any) -> dict[str, Any]:
    """A declared service that the hub runs."""
    return {"name": name, "command": [sys.executable, PROGRAM, *arguments], **more}


def listening(name: str = "teller", *arguments: str, **more: Any) -> dict[str, Any]:
    """One that listens."""
    return service(name, *arguments, url=f"http://127.0.0.1:{free_port()}", **more)


def told(hub: RunningHub, name: str = "teller") -> dict[str, Any]:
    """What a service says, through the edge, once it answers."""

    def look() -> dict[str, Any] | None:
        with hub.client() as client:
            answer = client.get(f"services/{name}/here")
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    return until(look, f"the service {name} answers")


def routed(hub: RunningHub, name: str) -> bool:
    """Whether the edge has a route to the service: what has none is the hub's to answer."""
    with hub.client() as client:
        answer = client.get(f"services/{name}/", follow_redirects=True)
    if "x-apphub-version" in answer.headers:
        assert answer.status_code == 404
        return False
    return True


def gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def of_hub(env: dict[str, str]) -> dict[str, str]:
    """What the hub has put into an environment."""
    return {name: value for name, value in env.items() if name.startswith(("JUPYTERHUB_", "JPY_"))}


@pytest.mark.parametrize("base", ["/", "/apps/"])
def test_a_managed_service_finds_the_environment_that_jupyterhub_gives_it(base: str, tmp_path: Path) -> None:
    teller = listening(
        environment={"COLOUR": "blue"}, cwd=str(tmp_path), oauth_client_allowed_scopes=["read:users!user"]
    )
    with RunningHub({**TRIAL, "base_url": base, "services": [teller]}) as hub:
        found = told(hub)
        env = of_hub(found["env"])
        token, api = env.pop("JUPYTERHUB_API_TOKEN"), env.pop("JUPYTERHUB_API_URL")
        access = ["access:services", "access:services!service=teller"]
        assert env.pop("JPY_API_TOKEN") == token
        assert json.loads(env.pop("JUPYTERHUB_OAUTH_ACCESS_SCOPES")) == access
        assert json.loads(env.pop("JUPYTERHUB_OAUTH_SCOPES")) == access
        assert json.loads(env.pop("JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES")) == ["read:users!user"]
        assert env == {
            "JUPYTERHUB_SERVICE_NAME": "teller",
            "JUPYTERHUB_SERVICE_URL": teller["url"],
            "JUPYTERHUB_SERVICE_PREFIX": f"{base}services/teller/",
            "JUPYTERHUB_BASE_URL": base,
            "JUPYTERHUB_CLIENT_ID": "service-teller",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{base}services/teller/oauth_callback",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_USER": "",
            "JUPYTERHUB_SERVER_NAME": "",
            "JUPYTERHUB_PUBLIC_URL": "",
            "JUPYTERHUB_PUBLIC_HUB_URL": "",
            "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0",
        }
        assert found["env"]["COLOUR"] == "blue"
        assert found["folder"] == str(tmp_path)
        assert found["path"] == f"{base}services/teller/here"
        assert api.endswith(f"{base}hub/api")
        answer = hub.ask("GET", "user", token=token)
        assert (answer.json()["kind"], answer.json()["name"]) == ("service", "teller")


def test_a_service_with_an_account_of_its_own_gets_no_home_of_the_hubs() -> None:
    urls, keys = Urls("/", "http://127.0.0.1:8081"), Keys(b"k" * 32)
    environ = {"HOME": "/root", "PATH": "/bin", "SECRET": "of the hub"}
    for user, inherited in (("", {"HOME": "/root", "PATH": "/bin"}), ("nobody", {"PATH": "/bin"})):
        declared = Service(name="worker", command=("true",), user=user)
        spec = service_spec(declared, 1, keys, urls, environ, "/data")
        assert {name: spec.env[name] for name in environ if name in spec.env} == inherited
        assert spec.run_as == (user or None)


def test_a_service_without_an_address_is_told_of_none_and_is_not_routed(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    with RunningHub({**TRIAL, "services": [service("worker", "write", str(file))]}) as hub:
        until(file.exists, "the service has begun")
        env = json.loads(file.read_text())["env"]
        assert "JUPYTERHUB_SERVICE_URL" not in env
        assert env["JUPYTERHUB_SERVICE_NAME"] == "worker"
        assert hub.ask("GET", "services/worker").json()["url"] == ""
        assert not routed(hub, "worker")


def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    with RunningHub({**TRIAL, "services": [listening()]}) as hub:
        pid = told(hub)["pid"]
        os.kill(pid, signal.SIGKILL)
        again = until(lambda: (found := told(hub))["pid"] != pid and found, "it runs again")
        assert again["pid"] != pid
        assert "service.ended" in hub.logs
        assert "SIGKILL" in hub.logs


def test_a_service_that_cannot_stay_up_is_tried_ever_more_slowly_and_its_words_are_logged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "tries"

    def tries() -> list[float]:
        return [float(line) for line in file.read_text().splitlines()] if file.exists() else []

    with RunningHub({**TRIAL, "services": [service("tired", "end", str(file), "3")]}) as hub:
        until(lambda: len(tries()) >= 4, "it was tried four times")
        until(lambda: hub.logs.count("service.ended") >= 3, "its ends are told")
        first, second, third, fourth = tries()[:4]
        assert second - first < third - second < fourth - third
        assert "no more for today" in hub.logs
        assert "status 3" in hub.logs
        assert hub.ask("GET", "users").status_code == 200


def test_a_command_that_does_not_exist_is_told_once_per_try_and_hurts_nobody_else() -> None:
    missing = {"name": "missing", "command": ["/nowhere/at-all"]}
    with RunningHub({**TRIAL, "services": [missing, listening()]}) as hub:
        assert told(hub)["arguments"] == []
        until(lambda: hub.logs.count("service.not_started") >= 2, "it was tried twice")
        lines = [line for line in hub.logs.splitlines() if "/nowhere/at-all" in line]
        assert all("service.not_started" in line and "missing" in line for line in lines)
        assert len(lines) == hub.logs.count("service.not_started")
        assert hub.ask("GET", "services").status_code == 200


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_service_lives_through_a_restart_of_the_hub_and_is_still_watched(how: str) -> None:
    with RunningHub({**TRIAL, "services": [listening()]}) as hub:
        pid = told(hub)["pid"]
        getattr(hub, how)()
        hub.start()
        assert told(hub)["pid"] == pid
        os.kill(pid, signal.SIGTERM)
        until(lambda: told(hub)["pid"] != pid, "a new one has taken its place")


def test_a_changed_command_restarts_a_service_and_only_that_one() -> None:
    changing, steady = listening("changing", "one"), listening("steady")
    with RunningHub({**TRIAL, "services": [changing, steady]}) as hub:
        before, beside = told(hub, "changing"), told(hub, "steady")
        changing["command"][-1] = "two"
        hub.restart()
        after = until(
            lambda: (found := told(hub, "changing"))["pid"] != before["pid"] and found, "it changes"
        )
        assert after["arguments"] == ["two"]
        assert gone(before["pid"])
        assert told(hub, "steady")["pid"] == beside["pid"]


def test_a_service_that_leaves_the_settings_is_stopped_and_its_token_ends() -> None:
    with RunningHub({**TRIAL, "services": [listening()]}) as hub:
        found = told(hub)
        token = found["env"]["JUPYTERHUB_API_TOKEN"]
        assert hub.ask("GET", "user", token=token).status_code == 200
        hub.config["services"] = []
        hub.restart()
        until(lambda: gone(found["pid"]), "the service has ended")
        assert hub.ask("GET", "user", token=token).status_code == 403
        with hub.client() as client:
            assert client.get("services/teller/").status_code >= 400


def test_what_a_service_prints_is_in_its_log() -> None:
    with RunningHub({**TRIAL, "services": [listening()]}) as hub:
        told(hub)
        logs = list((hub.data_dir / "services" / "logs").rglob("*.log"))
        assert [log.read_text().splitlines()[0] for log in logs] == ["service teller begins"]
        assert logs[0].stat().st_mode & 0o077 == 0


def test_websockets_reach_a_service_through_the_edge() -> None:
    with RunningHub({**TRIAL, "services": [listening()]}) as hub:
        told(hub)
        with socket.create_connection(tuple(hub.address), timeout=30) as line:
            line.sendall(
                f"GET /services/teller/ws HTTP/1.1\r\nHost: {hub.address}\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            stream = line.makefile("rwb")
            assert stream.readline().startswith(b"HTTP/1.1 101")
            while stream.readline() != b"\r\n":
                pass
            stream.write(b"\x81\x85abcd\x09\x07\x0f\x08\x0e")
            stream.flush()
            assert stream.read(11) == b"\x81\x85abcd\x09\x07\x0f\x08\x0e"


@contextmanager
def somebody_elses() -> Iterator[str]:
    """A program that runs without the hub; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), service_program.Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_service_made_by_the_api_is_routed_at_once_and_until_it_is_deleted() -> None:
    with RunningHub(TRIAL) as hub, somebody_elses() as url, hub.client() as client:
        assert not routed(hub, "outside")
        assert hub.ask("POST", "services/outside", json={"url": url}).status_code == 201
        answer = client.get("services/outside/a%2Fb?c=d")
        assert (answer.status_code, answer.json()["path"]) == (200, "/services/outside/a%2Fb?c=d")
        hub.restart()
        assert client.get("services/outside/").status_code == 200
        assert hub.ask("DELETE", "services/outside").status_code == 200
        assert not routed(hub, "outside")


def test_an_external_service_of_the_settings_is_routed_and_not_run() -> None:
    with somebody_elses() as url, RunningHub({**TRIAL, "services": [{"name": "outside", "url": url}]}) as hub:
        assert told(hub, "outside")["pid"] == os.getpid()
