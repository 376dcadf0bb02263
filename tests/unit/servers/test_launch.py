"""What a server is started with: the whole environment that JupyterHub promises, and nothing that leaks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.kit.names import fold, is_name
from apphub.kit.urls import Urls
from apphub.runtimes.base import LaunchFailed, LaunchSpec
from apphub.servers.launch import Surroundings, client_id, filled, launch_spec
from apphub.servers.model import Phase, Plan, Server, ServerKey, Wanted
from apphub.settings import Profile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "t" * 64
AROUND = Surroundings(
    urls=Urls("/apps/", "http://127.0.0.1:8081", "https://hub.example"),
    environ={"PATH": "/usr/bin", "LANG": "C.UTF-8", "AWS_SECRET": "hub's own", "HOME": "/root"},
    homes=Path("/data/homes"),
    system_users=False,
    root=False,
)
#: Every variable that a single-user server is handed, whatever its profile (conventions of JupyterHub's spawners).
PROMISED = {
    "JUPYTERHUB_API_TOKEN",
    "JPY_API_TOKEN",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_ACTIVITY_URL",
    "JUPYTERHUB_BASE_URL",
    "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
    "JUPYTERHUB_HOST",
    "JUPYTERHUB_USER",
    "JUPYTERHUB_SERVER_NAME",
    "JUPYTERHUB_OAUTH_CALLBACK_URL",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
    "JUPYTERHUB_OAUTH_SCOPES",
    "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
    "JUPYTERHUB_PUBLIC_URL",
    "JUPYTERHUB_PUBLIC_HUB_URL",
    "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
    "USER",
    "HOME",
    "SHELL",
    "PATH",
}


LAB = ServerKey("ada", "lab")


def _server(key: ServerKey = LAB, **profile: Any) -> Server:
    options = profile.pop("options_given", {})
    values = {"slug": "p", "groups": "everyone", "command": ["app", "--port={port}"], **profile}
    return Server(
        id=7,
        user_id=1,
        key=key,
        display_name="",
        created=NOW,
        wanted=Wanted.RUNNING,
        attempt=3,
        options=None,
        plan=Plan.of(Profile.model_validate(values), options),
        requested=NOW,
        phase=Phase.STOPPED,
        phase_attempt=2,
        reason=None,
        admitted=NOW,
        place="here",
        address=Address("127.0.0.1", 20007),
        routed_attempt=None,
        last_activity=None,
    )


def _spec(key: ServerKey = LAB, around: Surroundings = AROUND, **profile: Any) -> LaunchSpec:
    return launch_spec(_server(key, **profile), TOKEN, around)


def test_everything_that_is_promised_is_in_the_environment() -> None:
    env = dict(_spec().env)
    assert env.keys() >= PROMISED
    assert env["JUPYTERHUB_API_TOKEN"] == env["JPY_API_TOKEN"] == TOKEN
    assert env["JUPYTERHUB_CLIENT_ID"] == "jupyterhub-user-ada-lab"
    assert env["JUPYTERHUB_API_URL"] == "http://127.0.0.1:8081/apps/hub/api"
    assert env["JUPYTERHUB_ACTIVITY_URL"] == "http://127.0.0.1:8081/apps/hub/api/users/ada/activity"
    assert env["JUPYTERHUB_BASE_URL"] == "/apps/"
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/apps/user/ada/lab/"
    assert env["JUPYTERHUB_SERVICE_URL"] == "http://127.0.0.1:20007/apps/user/ada/lab/"
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "/apps/user/ada/lab/oauth_callback"
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://hub.example/apps/user/ada/lab/"
    assert env["JUPYTERHUB_PUBLIC_HUB_URL"] == "https://hub.example/apps/hub/"
    access = json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])
    assert "access:servers!server=ada/lab" in access
    assert all(scope.endswith(("!server=ada/lab", "!user=ada")) for scope in access)
    assert json.loads(env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]) == []
    assert all(isinstance(value, str) and "\x00" not in value for value in env.values())


def test_the_default_server_has_an_empty_name_and_no_segment_of_its_own() -> None:
    env = _spec(ServerKey("ada", "")).env
    assert env["JUPYTERHUB_SERVER_NAME"] == ""
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/apps/user/ada/"
    assert env["JUPYTERHUB_CLIENT_ID"] == "jupyterhub-user-ada"


def test_what_is_optional_is_there_when_the_profile_says_so() -> None:
    bare = _spec().env
    optional = ("MEM_LIMIT", "MEM_GUARANTEE", "CPU_LIMIT", "CPU_GUARANTEE", "JUPYTERHUB_DEFAULT_URL")
    assert not [name for name in optional if name in bare]
    limits = {"memory_limit": "1G", "memory_guarantee": "512M", "cpu_limit": 2, "cpu_guarantee": 0.5}
    spec = _spec(**limits, default_url="/lab")
    assert int(spec.env["MEM_LIMIT"]) == spec.memory_bytes
    assert float(spec.env["CPU_LIMIT"]) == spec.cpus == 2
    assert spec.env["JUPYTERHUB_DEFAULT_URL"] == "/lab"


def test_no_secret_is_on_the_command_line_or_in_what_is_logged() -> None:
    for kind in ({}, {"kind": "hello", "command": []}, {"kind": "jupyterhub-singleuser", "command": []}):
        spec = _spec(**kind)
        assert TOKEN not in " ".join(spec.command)
        assert TOKEN not in repr(spec)
        assert str(spec.ref) == "7-3"


def test_nothing_of_the_hubs_own_environment_but_a_little_is_inherited() -> None:
    env = _spec().env
    assert (env["PATH"], env["LANG"]) == ("/usr/bin", "C.UTF-8")
    assert "AWS_SECRET" not in env
    assert env["HOME"] != "/root"


@pytest.mark.parametrize(
    "name", ["..", ".", "../bob", "a/../../etc", "~", "-rf", "a\\b", "a b", "$HOME", ".ssh", "ö"]
)
def test_no_name_leads_out_of_the_folder_of_homes(name: str) -> None:
    home = Path(_spec(ServerKey(name, "")).env["HOME"])
    assert home.parent == AROUND.homes
    assert home.name not in ("", ".", "..")
    assert home.resolve().parent == AROUND.homes


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=20).filter(lambda name: is_name(fold(name))),
    st.sampled_from(["/", ".", "%2E", "%", "A"]),
)
def test_two_people_never_share_a_home_or_a_client_id(one: str, mark: str) -> None:
    written = (one, one + mark, mark + one, one.replace(".", "%2E"), one.replace("%", ""))
    names = {fold(name) for name in written if is_name(fold(name))}
    homes = {_spec(ServerKey(name, "")).env["HOME"] for name in names}
    ids = {client_id(ServerKey(name, "")) for name in names}
    assert len(homes) == len(ids) == len(names)
    assert all(Path(home).parent == AROUND.homes for home in homes)


def test_a_server_of_a_system_account_runs_as_it_in_its_own_home() -> None:
    spec = _spec(around=replace(AROUND, system_users=True))
    assert spec.run_as == "ada"
    assert spec.cwd is None
    assert "HOME" not in spec.env


def test_holes_are_filled_in_commands_environment_and_folder() -> None:
    spec = _spec(
        command=["app", "{ip}:{port}", "{prefix}", "{base}", "{user}/{server}", "{option:size}", "{{x}}"],
        environment={"WHO": "{user}", "ON": "{option:on}", "JSON": '{{"a": 1}}'},
        working_dir="/data/{user}",
        options={"size": {"default": "big"}, "on": {"type": "boolean", "default": True}},
        options_given={"size": "a b; rm -rf $HOME", "on": True},
    )
    assert spec.command == (
        *("app", "127.0.0.1:20007", "/apps/user/ada/lab/", "/apps/user/ada/lab", "ada/lab"),
        *("a b; rm -rf $HOME", "{x}"),  # one word, whatever is in it: there is no shell
    )
    assert (spec.env["WHO"], spec.env["ON"], spec.env["JSON"]) == ("ada", "true", '{"a": 1}')
    assert spec.cwd == "/data/ada"


def test_what_is_filled_in_is_not_looked_at_again_for_holes() -> None:
    assert filled("{option:x}", {"user": "ada"}, {"x": "{user}{{}}"}) == "{user}{{}}"


@pytest.mark.parametrize("text", ["{nothing}", "{option:missing}"])
def test_a_hole_that_nothing_fills_fails_the_launch_in_words(text: str) -> None:
    with pytest.raises(LaunchFailed, match=r"nothing|missing"):
        filled(text, {"user": "ada"}, {})


def test_a_server_without_plan_or_address_is_no_launch() -> None:
    for broken in (replace(_server(), plan=None), replace(_server(), address=None)):
        with pytest.raises(LaunchFailed):
            launch_spec(broken, TOKEN, AROUND)


def test_options_reach_the_app_as_json_in_the_variable_it_asks_for() -> None:
    env = _spec(options_variable="MY_OPTIONS", extra_options="allow", options_given={"a": [1, "é"]}).env
    assert json.loads(env["MY_OPTIONS"]) == json.loads(env["APPHUB_USER_OPTIONS"]) == {"a": [1, "é"]}


def test_the_programs_of_an_environment_come_first() -> None:
    env = _spec(environment_path="/envs/lab").env
    assert env["PATH"] == "/envs/lab/bin:/usr/bin"
    assert env["VIRTUAL_ENV"] == "/envs/lab"


APART = replace(
    AROUND,
    urls=Urls(
        "/",
        "http://127.0.0.1:8081",
        "https://hub.example",
        AppHosts.beside("apps.example.org", "https://hub.example"),
    ),
)


def _alone(**profile: Any) -> Server:
    """A server that was started for a host of its own."""
    values = {"slug": "p", "groups": "everyone", "command": ["app", "{prefix}", "[{base}]"], **profile}
    plan = Plan.of(Profile.model_validate(values), {}, app_hosts=True)
    return replace(_server(), plan=plan)


def test_an_app_on_a_host_of_its_own_is_at_its_root() -> None:
    spec = launch_spec(_alone(), TOKEN, APART)
    assert spec.command == ("app", "/", "[]")
    env = spec.env
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/"
    assert env["JUPYTERHUB_SERVICE_URL"] == "http://127.0.0.1:20007/"
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://lab-ada-7.apps.example.org/"
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "https://lab-ada-7.apps.example.org/oauth_callback"
    assert env["JUPYTERHUB_HOST"] == "https://hub.example"
    assert env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "1"


@pytest.mark.parametrize(
    "profile", [{"own_domain": False}, {"auth": "hub"}, {"kind": "jupyterhub-singleuser", "command": []}]
)
def test_other_apps_stay_below_the_hubs_path_where_cookies_of_a_whole_host_would_reach_their_neighbours(
    profile: dict[str, Any],
) -> None:
    env = launch_spec(_alone(**profile), TOKEN, APART).env
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/user/ada/lab/"
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://hub.example/user/ada/lab/"
    assert env["JUPYTERHUB_HOST"] == ""
    assert env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "0"


def test_an_app_whose_host_was_taken_away_stays_at_its_root() -> None:
    env = launch_spec(_alone(), TOKEN, AROUND).env
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/"
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://hub.example/apps/user/ada/lab/"
