"""jupyterhub-idle-culler, unmodified, as its README says: a managed service with scopes of its own."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import clients

from hubs import RunningHub, until

#: Scopes that its README asks for.
SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
NAME = "jupyterhub-idle-culler-service"


def culling(*arguments: str, scopes: list[str] = SCOPES, **more: Any) -> RunningHub:
    """A hub that runs the culler; it looks every second, one user on a page."""
    command = [clients.python(), "-m", "jupyterhub_idle_culler", "--cull-every=1", "--api-page-size=1"]
    return RunningHub(
        clients.trial(
            services=[{"name": NAME, "command": [*command, *arguments]}],
            roles=[{"name": "jupyterhub-idle-culler-role", "scopes": scopes, "services": [NAME]}],
            **more,
        )
    )


def start(hub: RunningHub, user: str, *servers: str) -> None:
    """Make a user, and start servers."""
    assert hub.ask("POST", f"users/{user}").status_code == 201
    for server in servers:
        path = f"servers/{server}" if server else "server"
        assert hub.ask("POST", f"users/{user}/{path}").status_code in (201, 202)


@contextmanager
def busy(hub: RunningHub, user: str, server: str) -> Iterator[None]:
    """Within this block the server reports that it is in use, as single-user servers do."""
    over = threading.Event()
    token = hub.token

    def report() -> None:
        while not over.wait(0.3):
            now = datetime.datetime.now(datetime.UTC).isoformat()
            body = {"servers": {server: {"last_activity": now}}, "last_activity": now}
            hub.ask("POST", f"users/{user}/activity", token=token, json=body)

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def output(hub: RunningHub) -> str:
    """What the culler has printed."""
    return "".join(log.read_text() for log in (hub.data_dir / "services" / "logs").rglob("*.log"))


def stopped(hub: RunningHub, user: str, server: str) -> bool:
    """Whether the server is there, and stopped."""
    return hub.server(user, server).get("stopped") is True


def test_it_stops_idle_servers_with_and_without_a_name_and_keeps_those_in_use() -> None:
    # Nobody answers at the public address: a program beside the hub must be able to do without.
    with culling("--timeout=5", public_url="https://hub.invalid") as hub:
        start(hub, "cleo", "used")
        with busy(hub, "cleo", "used"):
            start(hub, "ada", "", "lab")
            start(hub, "bob", "")
            idle = [("ada", ""), ("ada", "lab"), ("bob", "")]
            until(lambda: all(stopped(hub, *key) for key in idle), "all idle servers are stopped")
            assert hub.server("cleo", "used")["ready"]
            assert "Culling server ada/lab" in output(hub)
            assert "Fetching page 3" in output(hub)
        until(lambda: stopped(hub, "cleo", "used"), "the other is stopped too, once nobody uses it")
        assert "Traceback" not in output(hub)
        assert "[E " not in output(hub)


def test_it_removes_named_servers_when_told_to() -> None:
    with culling("--timeout=3", "--remove-named-servers=True", "--cull-default-servers=False") as hub:
        start(hub, "ada", "", "lab")
        hub.ready("ada")
        until(lambda: hub.server("ada", "lab") == {}, "the named server is removed")
        assert hub.server("ada")["ready"]
        assert "Traceback" not in output(hub)


def test_it_ends_servers_that_are_too_old_though_they_are_in_use() -> None:
    with culling("--timeout=600", "--max-age=6") as hub:
        start(hub, "ada", "used")
        with busy(hub, "ada", "used"):
            until(lambda: stopped(hub, "ada", "used"), "the old server is stopped")
        assert "Culling server ada/used (age:" in output(hub)


def test_it_deletes_idle_users_when_told_to_and_keeps_administrators() -> None:
    options = ("--timeout=5", "--cull-users=True", "--cull-admin-users=False")
    with culling(*options, scopes=[*SCOPES, "admin:users"]) as hub:

        def there(user: str) -> bool:
            return hub.ask("GET", f"users/{user}").status_code == 200

        start(hub, "cleo", "used")
        with busy(hub, "cleo", "used"):
            start(hub, "ada", "", "lab")
            start(hub, "bob")
            until(lambda: not there("ada") and not there("bob"), "the idle users are deleted")
            assert hub.server("cleo", "used")["ready"]
            assert there("admin")
        assert "Traceback" not in output(hub)


def test_it_ends_nothing_without_the_scope_for_that() -> None:
    with culling("--timeout=2", scopes=[scope for scope in SCOPES if scope != "delete:servers"]) as hub:
        start(hub, "ada", "")
        hub.ready("ada")
        until(lambda: output(hub).count("Culling server ada") >= 2, "it has tried twice")
        assert "Error processing ada" in output(hub)
        assert hub.server("ada")["ready"]
