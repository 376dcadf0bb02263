"""/hub/metrics answers the queries of the dashboards that are made for JupyterHub.

The queries are those of jupyterhub/grafana-dashboards, reduced to which series they ask for;
`app`, `namespace` and the like are added by whatever scrapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hubs import TRIAL, RunningHub, until

CONFIG = {
    **TRIAL,
    "groups": {"analysts": {"members": ["ada"]}},
    "limits": {"active_servers": 1},
    "profiles": [
        {"slug": "works", "kind": "hello", "groups": "everyone", "default": True},
        {"slug": "ends", "command": ["false"], "groups": "everyone"},
        {"slug": "is-not", "command": ["/nowhere/program"], "groups": "everyone"},
    ],
}
PROGRESS = "jupyterhub.apihandlers.users.SpawnProgressAPIHandler"

#: Selectors of PromQL.
QUERIES = (
    f'jupyterhub_request_duration_seconds_bucket{{handler!="{PROGRESS}"}}',
    f'jupyterhub_request_duration_seconds_count{{handler!="{PROGRESS}"}}',
    'jupyterhub_request_duration_seconds_count{code=~"5.*|4.*|2.*"}',
    "jupyterhub_server_spawn_duration_seconds_bucket{}",
    "jupyterhub_server_spawn_duration_seconds_count{}",
    'jupyterhub_server_spawn_duration_seconds_count{status!="success"}',
    "jupyterhub_running_servers{}",
    'jupyterhub_active_users{period="24h"}',
    'jupyterhub_active_users{period="7d"}',
    'jupyterhub_active_users{period="30d"}',
    'jupyterhub_user_group_info{usergroup=~".*",username_safe=~".*",username_escaped=~".*"}',
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a hub has told."""

    samples: tuple[tuple[str, dict[str, str], float], ...]

    def all(self, query: str) -> list[float]:
        """The values that a selector of PromQL finds."""
        name, _, inside = query.partition("{")
        asked = re.findall(r'(\w+)(!=|=~|=)"([^"]*)"', inside)
        return [
            value
            for sample, labels, value in self.samples
            if sample == name
            and all(_FITS[how](labels.get(label, ""), wanted) for label, how, wanted in asked)
        ]

    def sum(self, query: str) -> float:
        """The sum of them, of which there must be one."""
        found = self.all(query)
        assert found, query
        return sum(found)


_FITS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda text, wanted: text == wanted,
    "!=": lambda text, wanted: text != wanted,
    "=~": lambda text, wanted: re.fullmatch(wanted, text) is not None,
}


def figures(hub: RunningHub) -> Figures:
    with hub.client(hub.token) as client:
        answer = client.get("hub/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return Figures(
        tuple((sample.name, sample.labels, sample.value) for family in families for sample in family.samples)
    )


@pytest.fixture(scope="module")
def busy_hub() -> Iterator[RunningHub]:
    """A hub where everything that is counted has happened once."""
    with RunningHub(CONFIG) as hub:
        with hub.sign_in("ada") as browser:
            hub.post_form(browser, "hub/logout")
        with hub.client() as client:
            wrong = {"username": "ada", "password": "wrong"}
            assert client.post("hub/api/authorizations/token", json=wrong).status_code == 403
            assert client.post("hub/security/csp-report", json={}).status_code == 204
        start = "users/ada/servers"
        assert hub.ask("POST", f"{start}/lab").status_code in (201, 202)
        hub.ready("ada", "lab")
        assert hub.ask("POST", f"{start}/lab").status_code == 400
        assert hub.ask("POST", "users/admin/server").status_code == 429
        assert hub.ask("GET", f"{start}/lab/progress").status_code == 200
        yield hub


def test_every_query_of_the_dashboards_finds_its_series(busy_hub: RunningHub) -> None:
    told = figures(busy_hub)
    assert [query for query in QUERIES if not told.all(query)] == []


def test_requests_for_progress_have_the_handler_that_dashboards_leave_out(busy_hub: RunningHub) -> None:
    told = figures(busy_hub)
    assert told.sum(f'jupyterhub_request_duration_seconds_count{{handler="{PROGRESS}"}}') == 1
    assert told.all('jupyterhub_request_duration_seconds_count{handler=~".*progress"}') == []


def test_users_servers_and_members_are_counted_as_the_database_has_them(busy_hub: RunningHub) -> None:
    told = figures(busy_hub)
    assert told.sum("jupyterhub_total_users{}") == 2
    assert told.sum("jupyterhub_running_servers{}") == 1
    assert told.sum('jupyterhub_active_users{period="24h"}') == 2
    member = 'jupyterhub_user_group_info{usergroup="analysts",username_raw="ada",username_safe="ada"}'
    assert told.all(member) == [1]
    assert busy_hub.ask("DELETE", "groups/analysts/users", json={"users": ["ada"]}).status_code == 409
    assert busy_hub.ask("POST", "groups/later", json={"users": ["admin"]}).status_code == 201
    assert figures(busy_hub).sum('jupyterhub_user_group_info{usergroup="later"}') == 1
    assert busy_hub.ask("DELETE", "groups/later").status_code == 204
    assert figures(busy_hub).all('jupyterhub_user_group_info{usergroup="later"}') == []


def test_what_has_happened_is_counted_where_it_happened(busy_hub: RunningHub) -> None:
    told = figures(busy_hub)
    spawned = "jupyterhub_server_spawn_duration_seconds_count"
    assert told.sum(f'{spawned}{{status="success"}}') == 1
    assert told.sum(f'{spawned}{{reason="already-pending"}}') == 1
    assert told.sum(f'{spawned}{{reason="too-many-users"}}') == 1
    assert 0 < told.sum("jupyterhub_server_spawn_duration_seconds_sum{}") < 60
    assert told.sum('jupyterhub_login_duration_seconds_count{status="success"}') >= 2
    assert told.sum('jupyterhub_login_duration_seconds_count{status="failure"}') == 1
    assert told.sum("jupyterhub_logout_duration_seconds_count{}") == 1
    assert told.sum("jupyterhub_csp_reports_total{}") == 1
    assert told.sum('jupyterhub_proxy_add_duration_seconds_count{status="success"}') >= 1
    assert told.sum('jupyterhub_server_poll_duration_seconds_count{status="running"}') >= 1
    for once in ("check_routes", "hub_startup", "init_spawners"):
        assert told.sum(f"jupyterhub_{once}_duration_seconds_count{{}}") == 1, once
    # Twenty a second: the hub may have lived for less than one until here.
    turns = "jupyterhub_event_loop_interval_seconds_count{}"
    until(lambda: figures(busy_hub).sum(turns) > 10, "turns of the loop are counted")


def test_ends_of_servers_and_starts_that_fail_are_counted(busy_hub: RunningHub) -> None:
    assert busy_hub.ask("DELETE", "users/ada/servers/lab").status_code in (202, 204)
    until(lambda: busy_hub.server("ada", "lab").get("stopped"), "the server has stopped")
    told = figures(busy_hub)
    assert told.sum('jupyterhub_server_stop_seconds_count{status="success"}') == 1
    assert told.sum('jupyterhub_proxy_delete_duration_seconds_count{status="success"}') >= 1
    assert told.sum("jupyterhub_running_servers{}") == 0
    for profile, status in (("ends", "failure"), ("is-not", "error")):
        answer = busy_hub.ask("POST", "users/ada/servers/other", json={"profile": profile})
        assert answer.status_code == 500, answer.text
        found = figures(busy_hub)
        spawned = f'jupyterhub_server_spawn_duration_seconds_count{{status="{status}",reason=""}}'
        assert found.sum(spawned) == 1, profile


def test_figures_take_a_scope_of_their_own(busy_hub: RunningHub) -> None:
    with busy_hub.client() as client:
        assert client.get("hub/metrics").status_code == 403
    made = busy_hub.ask("POST", "users/admin/tokens", json={"scopes": ["read:metrics"]}).json()["token"]
    with busy_hub.client(made) as client:
        assert client.get("hub/metrics").status_code == 200
    with busy_hub.client(busy_hub.token_for("ada")) as client:
        assert client.get("hub/metrics").status_code == 403
