"""Hubs and edges on one PostgreSQL: any of them serves anything, and what one says holds for all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import apps
import guarding
import pytest
from load import Load
from sockets import EchoSocket

from clusters import Cluster, EdgePart, HubPart
from hubs import until

PROFILES = {
    "profiles": [apps.STEERED, *guarding.echoing()["profiles"]],
    "timeouts": {"slow_spawn": "20s", "stop": "2s"},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(hubs=2, edges=2, config=PROFILES) as cluster:
        yield cluster


def start(cluster: Cluster, name: str, edge: int = 0, profile: str = "steered") -> None:
    cluster.edges[edge].ask("POST", f"users/{name}")
    answer = cluster.edges[edge].ask("POST", f"users/{name}/server", json={"profile": profile})
    assert answer.status_code == 201, answer.text


def takes(look: Callable[[], bool], within: float) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < within, f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_server_started_through_one_edge_is_there_through_all_of_them_at_once(cluster: Cluster) -> None:
    for number in range(6):
        start(cluster, f"eve-{number}", edge=number % 2)
        for edge in cluster.edges:
            with edge.client() as client:
                answer = client.get(f"user/eve-{number}/")
            assert answer.status_code == 200, f"{edge.name}: {answer.status_code}"
    for part in (*cluster.hubs, *cluster.edges):
        assert part.ask("GET", "users/eve-3").json()["servers"][""]["ready"]
    assert all("routes.unconfirmed" not in hub.logs for hub in cluster.hubs)


def test_what_is_taken_away_is_refused_by_every_replica_within_a_second(cluster: Cluster) -> None:
    start(cluster, "dan")
    tokens = [cluster.token_for("dan") for _ in range(2)]
    for hub in cluster.hubs:
        assert [hub.ask("GET", "user", token=token).status_code for token in tokens] == [200, 200]
    listed = cluster.edges[0].ask("GET", "users/dan/tokens").json()["api_tokens"]
    for token in listed:
        cluster.hubs[0].ask("DELETE", f"users/dan/tokens/{token['id']}")
    assert takes(
        lambda: all(hub.ask("GET", "user", token=tokens[0]).status_code == 403 for hub in cluster.hubs), 1
    )

    cluster.edges[0].ask("POST", "groups/staff")
    cluster.edges[0].ask("POST", "groups/staff/users", json={"users": ["dan"]})
    token = cluster.token_for("dan")

    def staff(hub: HubPart) -> bool:
        return "staff" in hub.ask("GET", "user", token=token).json()["groups"]

    assert all(map(staff, cluster.hubs))
    cluster.hubs[1].ask("DELETE", "groups/staff/users", json={"users": ["dan"]})
    assert takes(lambda: not any(map(staff, cluster.hubs)), 1)


def test_a_server_that_is_stopped_is_gone_from_every_edge_within_two_seconds(cluster: Cluster) -> None:
    start(cluster, "fay")
    assert cluster.edges[1].ask("DELETE", "users/fay/server").status_code in (202, 204)

    def gone() -> bool:
        statuses = []
        for edge in cluster.edges:
            with edge.client() as client:
                statuses.append(client.get("user/fay/").status_code)
        return all(status != 200 for status in statuses)

    takes(gone, 2)
    assert all(not hub.ask("GET", "users/fay").json()["servers"] for hub in cluster.hubs)


def test_a_visitor_who_signs_out_is_refused_at_every_edge_within_two_seconds(cluster: Cluster) -> None:
    start(cluster, "gus", profile="echo")
    with cluster.edges[0].client() as browser:
        guarding.come_in(browser, "gus")
        theirs = guarding.pass_of(browser, "/user/gus/")
        assert [visit(edge, theirs) for edge in cluster.edges] == [200, 200]
        assert browser.get("hub/logout").status_code == 302
    takes(lambda: all(visit(edge, theirs) == 401 for edge in cluster.edges), 2)


def test_what_a_visitor_has_open_ends_at_every_edge_and_its_use_is_noted_through_each(
    cluster: Cluster,
) -> None:
    start(cluster, "kim", profile="echo")
    with cluster.edges[0].client() as browser:
        forget_use(cluster, "kim")
        guarding.come_in(browser, "kim")
        takes(lambda: is_used(cluster, "kim"), 6)
        theirs = guarding.cookie(guarding.pass_of(browser, "/user/kim/"))
        # By the pass alone, which no hub is asked about; the first edge has told already in this minute.
        forget_use(cluster, "kim")
        with cluster.edges[1].client() as client:
            assert client.get("user/kim/", headers=theirs).status_code == 200
        takes(lambda: is_used(cluster, "kim"), 6)
        sockets = [guarding.WebSocket(edge, "/user/kim/ws", theirs) for edge in cluster.edges]
        try:
            assert [one.ask("hello") for one in sockets] == ["hello", "hello"]
            assert browser.get("hub/logout").status_code == 302
            for one in sockets:
                takes(lambda one=one: one.ask("still?") is None, 4)
        finally:
            for one in sockets:
                one.close()


def forget_use(cluster: Cluster, user: str) -> None:
    """As if nobody had used the servers of somebody for long."""
    cluster.rows(f"update servers set last_activity = 1 where user_id = {_id(user)}")


def is_used(cluster: Cluster, user: str) -> bool:
    """Whether it has been noted since that somebody does."""
    [row] = cluster.rows(f"select last_activity from servers where user_id = {_id(user)}")
    return bool(row["last_activity"] > 1)


def _id(user: str) -> str:
    return f"(select id from users where name = '{user}')"


def visit(edge: EdgePart, theirs: str) -> int:
    """What the edge says to somebody with a pass and nothing else."""
    with edge.client() as client:
        return client.get("user/gus/", headers={"cookie": f"{guarding.COOKIE}={theirs}"}).status_code


def loads(cluster: Cluster, path: str) -> list[Load]:
    """One load for each edge, over a connection that is kept."""

    return [Load(edge.client(cluster.token), path) for edge in cluster.edges]


@pytest.mark.timeout(240)
def test_all_replicas_are_restarted_in_turn_and_nobody_notices(cluster: Cluster) -> None:
    start(cluster, "hal")
    api, app = loads(cluster, "hub/api/users/hal"), loads(cluster, "user/hal/")
    sockets = [EchoSocket(edge, "user/hal/socket") for edge in cluster.edges]
    try:
        with api[0], api[1], app[0], app[1]:
            time.sleep(1)
            for hub in cluster.hubs:
                assert hub.stop() == 0
                assert [socket.echo("meanwhile") for socket in sockets] == ["meanwhile"] * 2
                hub.start()
                until(hub.answers, f"{hub.name} is back")
                time.sleep(1)
        assert [socket.echo("after") for socket in sockets] == ["after"] * 2
    finally:
        for socket in sockets:
            socket.close()
    for load in (*api, *app):
        assert load.failures == []
        assert load.made > 20


@pytest.mark.timeout(240)
def test_the_next_requests_pass_when_a_replica_is_killed_and_its_servers_are_looked_after(
    cluster: Cluster,
) -> None:
    start(cluster, "ida")
    before = cluster.objects()
    api = loads(cluster, "hub/api/users/ida")
    with api[0], api[1]:
        time.sleep(0.5)
        cluster.hubs[0].kill()
        time.sleep(2)
    assert [load.failures for load in api] == [[], []]
    start(cluster, "jim", edge=1)
    for edge in cluster.edges:
        with edge.client() as client:
            assert client.get("user/jim/").status_code == 200
    assert set(before) <= set(cluster.objects())
    # Its end is noticed by the one that is left, whoever started it.
    [row] = cluster.rows(
        "select s.id, s.attempt from servers s join users u on u.id = s.user_id where u.name = 'ida'"
    )
    time.sleep(4)
    for pid, name in cluster.server_pids().items():
        if name == f"{row['id']}:{row['attempt']}":
            os.kill(pid, signal.SIGKILL)
    until(lambda: not cluster.hubs[1].ask("GET", "users/ida").json()["servers"], "its end is noticed", 20)
    cluster.hubs[0].start()
    until(cluster.hubs[0].answers, "it is back")
