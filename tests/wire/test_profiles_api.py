"""Profiles as resources of a running hub: by its API, by its command line, and by its settings file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from apphub.runtimes.process.cgroups import Groups
from hubs import APPHUB, TRIAL, RunningHub, until

OPTIONS = {"size": {"choices": ["small", "big"], "default": "small"}}
CONFIG: dict[str, Any] = {
    **TRIAL,
    "groups": {"analysts": {"members": ["ada"]}},
    "roles": [{"name": "keeper", "scopes": ["read:profiles", "list:profiles"], "users": ["kim"]}],
    "profiles": [
        {"slug": "open", "kind": "hello", "groups": "everyone", "default": True},
        {"slug": "closed", "kind": "hello", "groups": ["analysts"]},
    ],
}
HELLO = {"kind": "hello", "options": OPTIONS}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    with RunningHub(CONFIG) as hub:
        for name in ("ada", "bob", "kim"):
            hub.token_for(name)  # the first sign-in makes the account
        yield hub


@pytest.fixture
def mine(hub: RunningHub, request: pytest.FixtureRequest) -> str:
    """A profile of the test's own, open to nobody."""
    slug = f"mine-{abs(hash(request.node.nodeid)) % 10**8}"
    made = hub.ask("POST", "profiles", json={"slug": slug, **HELLO})
    assert made.status_code == 201, made.text
    return slug


def rules(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["rule"] for one in answer.json()["problems"]]


def test_a_profile_can_be_made_read_changed_and_withdrawn(hub: RunningHub, mine: str) -> None:
    path = f"profiles/{mine}"
    assert hub.ask("POST", "profiles", json={"slug": mine, **HELLO}).status_code == 409
    made = hub.ask("GET", path).json()
    assert (made["version"], made["source"], made["bindings"]) == (1, "api", [])
    assert made["options"]["properties"]["size"]["enum"] == ["small", "big"]
    changed = hub.ask("PATCH", path, json={"description": "New.", "options": None})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["version"], changed.json()["definition"]) == (
        2,
        {"kind": "hello", "description": "New."},
    )
    same = hub.ask("PUT", path, json={"kind": "hello", "description": "New."})
    assert (same.status_code, same.json()["version"]) == (200, 2)
    rolled = hub.ask("POST", f"{path}/rollback", json={"version": 1})
    assert rolled.json()["definition"] == HELLO
    assert [one["version"] for one in hub.ask("GET", f"{path}/versions").json()] == [3, 2, 1]
    assert hub.ask("DELETE", path).status_code == 204
    assert hub.ask("GET", path).status_code == hub.ask("DELETE", path).status_code == 404
    listed = {one["slug"]: one for one in hub.ask("GET", "profiles?all=1&withdrawn=1").json()}
    assert listed[mine]["withdrawn"]
    assert mine not in {one["slug"] for one in hub.ask("GET", "profiles?all=1").json()}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "profiles", None, 400),
        ("POST", "profiles", {"kind": "hello"}, 400),
        ("POST", "profiles", {"slug": "Bad Slug", "kind": "hello"}, 400),
        ("POST", "profiles", {"slug": "x" * 64, "kind": "hello"}, 400),
        ("PUT", "profiles/x", {"slug": "y", "kind": "hello"}, 400),
        ("PUT", "profiles/x", [], 400),
        ("PUT", "profiles/x", {"kind": "nope"}, 400),
        ("PATCH", "profiles/nothing", {}, 404),
        ("POST", "profiles/open/rollback", {"version": True}, 400),
        ("POST", "profiles/open/rollback", {"version": 99}, 404),
        ("POST", "profiles/open/bindings", {}, 400),
        ("POST", "profiles/open/bindings", {"user": "ada", "group": "g"}, 400),
        ("POST", "profiles/open/bindings", {"user": "nobody-here"}, 404),
        ("DELETE", "profiles/open/bindings/x", None, 404),
        ("POST", "profiles/open/validate", {"user": "nobody-here"}, 404),
        ("POST", "profiles/nothing/validate", {"user": "ada"}, 404),
        ("GET", "profiles/open/preview?options=[]", None, 400),
        ("PATCH", "profiles/open", {"command": ["x"], "kind": None}, 409),
        ("DELETE", "profiles/open", None, 409),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    hub: RunningHub, method: str, path: str, body: Any, status: int
) -> None:
    before = hub.ask("GET", "profiles?all=1").json()
    answer = hub.ask(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
    assert hub.ask("GET", "profiles?all=1").json() == before


def test_each_scope_opens_just_its_part(hub: RunningHub, mine: str) -> None:
    kim, ada = hub.token_for("kim"), hub.token_for("ada")
    assert mine in {one["slug"] for one in hub.ask("GET", "profiles?all=1", token=kim).json()}
    assert hub.ask("GET", f"profiles/{mine}", token=kim).json()["definition"] == HELLO
    assert hub.ask("GET", "profiles/_settings", token=kim).status_code == 200
    for method, path in (
        ("PUT", f"profiles/{mine}"),
        ("DELETE", f"profiles/{mine}"),
        ("POST", f"profiles/{mine}/bindings"),
        ("GET", f"profiles/{mine}/preview"),
        ("POST", "profiles/_settings/reload"),
    ):
        assert hub.ask(method, path, token=kim, json=HELLO).status_code == 403, path
    assert hub.ask("GET", "profiles?all=1", token=ada).status_code == 403
    assert hub.ask("GET", f"profiles/{mine}", token=ada).status_code == 404
    assert hub.ask("GET", f"profiles/{mine}/versions", token=ada).status_code == 403
    assert set(hub.ask("GET", "profiles/closed", token=ada).json()) == {
        *("slug", "display_name", "description", "icon", "default", "memory_limit", "cpu_limit"),
        *("options", "extra_options"),
    }


def test_own_scopes_are_listed_where_they_are_asked_for(hub: RunningHub) -> None:
    plain = hub.ask("GET", "user").json()["scopes"]
    assert not [scope for scope in plain if "profiles" in scope]
    every = hub.ask("GET", "user?own_scopes=1").json()["scopes"]
    own = {"admin:profiles", "list:profiles", "read:profiles", "read:audit"}
    assert set(every) - set(plain) == own
    made = hub.ask("POST", "users/admin/tokens", json={"scopes": ["read:profiles"]}).json()
    assert "read:profiles" in made["scopes"]
    assert hub.ask("GET", "profiles/open", token=made["token"]).json()["version"] >= 1
    assert hub.ask("DELETE", "profiles/open", token=made["token"]).status_code == 403


def test_a_binding_opens_a_profile_at_once_with_its_fixed_options(hub: RunningHub, mine: str) -> None:
    bob, body = hub.token_for("bob"), {"profile": mine}
    assert hub.ask("POST", f"users/bob/servers/{mine}", token=bob, json=body).status_code == 403
    bound = hub.ask("POST", f"profiles/{mine}/bindings", json={"user": "bob", "options": {"size": "big"}})
    assert bound.status_code == 201, bound.text
    shown = next(one for one in hub.ask("GET", "profiles", token=bob).json() if one["slug"] == mine)
    assert shown["options"]["properties"]["size"]["enum"] == ["big"]
    with hub.sign_in("bob") as browser:
        form = browser.get(f"hub/spawn/bob/{mine}?profile={mine}").text
    assert "big</option>" in form
    assert "small</option>" not in form
    other = hub.ask("POST", f"users/bob/servers/{mine}", token=bob, json={**body, "size": "small"})
    assert (other.status_code, "fixed to big" in other.text) == (400, True)
    assert hub.ask("POST", f"users/bob/servers/{mine}", token=bob, json=body).status_code < 300
    hub.ready("bob", mine)
    assert hub.ask("DELETE", f"profiles/{mine}/bindings/{bound.json()['id']}").status_code == 204
    assert hub.server("bob", mine)["ready"]  # the policy is `block`
    hub.ask("DELETE", f"users/bob/servers/{mine}")
    until(lambda: not hub.server("bob", mine)["pending"], "it is down")
    assert hub.ask("POST", f"users/bob/servers/{mine}", token=bob).status_code == 403


def test_losing_the_group_stops_what_a_profile_says_is_to_stop(hub: RunningHub, mine: str) -> None:
    hub.ask("PATCH", f"profiles/{mine}", json={"on_group_loss": "stop", "groups": ["analysts"]})
    hub.ask("POST", "groups/analysts/users", json={"users": ["bob"]})
    bob = hub.token_for("bob")
    assert hub.ask("POST", f"users/bob/servers/{mine}", token=bob, json={"profile": mine}).status_code < 300
    hub.ready("bob", mine)
    hub.ask("DELETE", "groups/analysts/users", json={"users": ["bob"]})
    until(lambda: hub.server("bob", mine)["stopped"], "it is stopped", 10)


def test_a_dry_run_tells_every_rule_that_is_in_the_way(hub: RunningHub, mine: str) -> None:
    path = f"profiles/{mine}/validate"
    assert rules(hub.ask("POST", path, token=hub.token_for("bob"))) == ["binding"]
    body = {"user": "bob", "options": {"size": "huge"}, "server": "x"}
    assert rules(hub.ask("POST", path, json=body)) == ["binding", "options"]
    hub.ask("POST", f"profiles/{mine}/bindings", json={"role": "user"})
    assert rules(hub.ask("POST", path, token=hub.token_for("bob"))) == []
    assert hub.ask("POST", path, token=hub.token_for("bob"), json={"user": "ada"}).status_code in (403, 404)
    assert hub.server("bob", "x") == {}


def test_a_preview_shows_the_launch_without_secrets(hub: RunningHub, mine: str) -> None:
    container = {
        "image": "i",
        "environment": {"HOME": "/work", "WHO": "{{ spawner.user.name }}"},
        "config_maps": [{"name": "rc", "key": "rc", "mount_path": "/work/.rc", "content": "hello"}],
        "volumes": [{"name": "w", "claim_name": "c", "volume_mount": {"name": "w", "mount_path": "/work"}}],
        "image_pull_secrets": [{"name": "r", "data": "s3cret"}],
    }
    changed = hub.ask("PATCH", f"profiles/{mine}", json={"container": container})
    assert changed.status_code == 200, changed.text
    assert "s3cret" not in changed.text
    # What was shown can be sent back: the mark means what is kept.
    again = hub.ask("PUT", f"profiles/{mine}", json=changed.json()["definition"])
    assert again.json()["version"] == changed.json()["version"]
    seen = hub.ask("GET", f"profiles/{mine}/preview?user=ada&server=lab")
    assert seen.status_code == 200, seen.text
    found = seen.json()
    assert found["environment"]["WHO"] == "ada"
    assert found["environment"]["JUPYTERHUB_API_TOKEN"] == "<hidden>"
    assert found["environment"]["JUPYTERHUB_SERVICE_PREFIX"] == "/user/ada/lab/"
    assert found["files"] == [{"name": "rc", "key": "rc", "path": "/work/.rc", "mode": "0400", "size": 5}]
    assert "image_pull_secrets: processes fetch no image" in found["notes"]


def test_a_share_lets_its_guest_start_nothing_that_the_owner_may_not(hub: RunningHub, mine: str) -> None:
    bound = hub.ask("POST", f"profiles/{mine}/bindings", json={"user": "ada"}).json()["id"]
    ada, bob = hub.token_for("ada"), hub.token_for("bob")
    assert hub.ask("POST", "users/ada/servers/shared", token=ada, json={"profile": mine}).status_code < 300
    hub.ready("ada", "shared")
    shared = hub.ask(
        "POST",
        "shares/ada/shared",
        json={
            "user": "bob",
            "scopes": ["access:servers!server=ada/shared", "start:servers!server=ada/shared"],
        },
    )
    assert shared.status_code == 200, shared.text
    hub.ask("DELETE", "users/ada/servers/shared", token=ada)
    until(lambda: not hub.server("ada", "shared")["pending"], "it is down")
    # The guest starts by the owner's right, though the profile is not open to the guest …
    assert hub.ask("POST", "users/ada/servers/shared", token=bob).status_code < 300
    hub.ready("ada", "shared")
    hub.ask("DELETE", "users/ada/servers/shared", token=ada)
    until(lambda: not hub.server("ada", "shared")["pending"], "it is down")
    # … and no longer than the owner has it, though it is open to the guest.
    hub.ask("POST", f"profiles/{mine}/bindings", json={"user": "bob"})
    hub.ask("DELETE", f"profiles/{mine}/bindings/{bound}")
    assert hub.ask("POST", "users/ada/servers/shared", token=bob).status_code == 403


def test_limits_that_nobody_is_held_to_are_told(hub: RunningHub, mine: str) -> None:
    limits = {"memory_limit": "1G", "memory_guarantee": "256M", "cpu_limit": 1, "cpu_guarantee": 0.5}
    assert hub.ask("PATCH", f"profiles/{mine}", json=limits).status_code == 200
    notes = hub.ask("POST", f"profiles/{mine}/validate", json={"user": "ada"}).json()["notes"]
    assert {note.partition(":")[0] for note in notes} >= {"memory_guarantee", "cpu_guarantee"}
    kept = Groups("test").kept
    assert {f"{name}_limit" for name in ("memory", "cpu") if name not in kept} == {
        name for note in notes if (name := note.partition(":")[0]).endswith("_limit")
    }


def test_a_server_remembers_the_version_and_options_it_was_started_with(hub: RunningHub, mine: str) -> None:
    hub.ask("POST", f"profiles/{mine}/bindings", json={"user": "ada"})
    ada = hub.token_for("ada")

    def told() -> tuple[object, ...]:
        found = hub.ask("GET", "users/ada/servers/kept?own_keys=1", token=ada).json()
        return found["profile"], found["profile_version"], found["options"], found["reason"]

    def started(**options: object) -> None:
        body = {"profile": mine, **options}
        assert hub.ask("POST", "users/ada/servers/kept", token=ada, json=body).status_code < 300
        hub.ready("ada", "kept")

    first = hub.ask("GET", f"profiles/{mine}").json()["version"]
    options = {"size": {"choices": ["small", "huge"], "default": "small"}}
    hub.ask("PATCH", f"profiles/{mine}", json={"options": options})
    started(size="huge")
    assert told() == (mine, first + 1, {"size": "huge"}, None)
    hub.ask("POST", f"profiles/{mine}/rollback", json={"version": first})
    assert told() == (mine, first + 1, {"size": "huge"}, None)  # what runs is what it was
    hub.ask("DELETE", "users/ada/servers/kept", token=ada)
    until(lambda: not hub.server("ada", "kept")["pending"], "it is down")
    started()
    assert told() == (mine, first + 2, {"size": "small"}, None)
    hub.ask("DELETE", "users/ada/servers/kept", token=ada, json={"remove": True})


def command(hub: RunningHub, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(APPHUB), "profiles", arguments[0], "--url", hub.url, *arguments[1:]],
        env={**os.environ, "APPHUB_TOKEN": token or hub.token},
        cwd=hub.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_applies_lists_shows_and_validates(hub: RunningHub) -> None:
    file = hub.folder / "more.yaml"
    file.write_text(yaml.safe_dump({"profiles": [{"slug": "by-hand", "groups": "everyone", **HELLO}]}))
    assert command(hub, "apply", str(file)).stdout == "by-hand: created, version 1\n"
    assert command(hub, "apply", str(file)).stdout == "by-hand: unchanged, version 1\n"
    single = hub.folder / "one.yaml"
    single.write_text(yaml.safe_dump({"slug": "by-hand", "groups": "everyone", **HELLO}))
    assert command(hub, "apply", str(single)).stdout == "by-hand: unchanged, version 1\n"
    assert "by-hand" in command(hub, "list", token=hub.token_for("bob")).stdout
    assert '"version": 1' in command(hub, "show", "by-hand").stdout
    fine = command(hub, "validate", "by-hand", "--option", "size=big", token=hub.token_for("bob"))
    assert (fine.returncode, fine.stdout) == (0, "It would start.\n")
    refused = command(hub, "validate", "closed", token=hub.token_for("bob"))
    assert (refused.returncode, "members of analysts" in refused.stdout) == (1, True)
    denied = command(hub, "apply", str(file), token=hub.token_for("bob"))
    assert denied.returncode == 1
    assert "requires any of [admin:profiles]" in denied.stderr
    wrong = command(hub, "show", "by-hand", token="nonsense")
    assert (wrong.returncode, wrong.stderr) == (1, "apphub: Missing or invalid credentials.\n")


def _write(hub: RunningHub, **more: Any) -> None:
    (hub.folder / "apphub.yaml").write_text(yaml.safe_dump({**CONFIG, **more}))


def test_the_settings_file_is_followed_without_a_restart(hub: RunningHub) -> None:
    pid = hub.pid
    new = {"slug": "hot", "kind": "hello", "groups": ["analysts"]}
    try:
        _write(hub, profiles=[*CONFIG["profiles"], new])
        until(
            lambda: "hot" in hub.ask("GET", "profiles", token=hub.token_for("ada")).text, "it is offered", 20
        )
        assert "hot" not in hub.ask("GET", "profiles", token=hub.token_for("bob")).text

        _write(hub, profiles=[{"slug": "hot", "kind": "nope"}], log_level="debug")
        told = hub.ask("POST", "profiles/_settings/reload").json()
        assert told["ok"] is False
        assert any("profiles[0].kind" in problem for problem in told["problems"])
        assert "profiles.unchanged" in hub.logs
        assert hub.ask("GET", "profiles/hot").json()["version"] == 1

        _write(hub, log_level="debug")
        told = hub.ask("POST", "profiles/_settings/reload").json()
        assert (told["ok"], told["needs_restart"]) == (True, ["log_level"])
        assert hub.ask("GET", "profiles/hot").status_code == 404
        assert hub.pid == pid
    finally:
        _write(hub)
        hub.ask("POST", "profiles/_settings/reload")
