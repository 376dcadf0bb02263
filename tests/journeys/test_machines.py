"""deploy/compose.yaml at work: hubs and edges on machines of their own, which share what the file says and no more."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import guarding
import httpx
import pytest
from on_machines import CONFIG, on_each, place_of, start

from hubs import until
from machines import Machines


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Machines(CONFIG) as machines:
        yield machines


def test_servers_of_every_machine_are_reached_by_every_edge(machines: Machines) -> None:
    for place, name in on_each(machines).items():
        for edge in machines.edges:
            with edge.client() as client:
                assert client.get(f"user/{name}/").status_code == 200, (place, edge.name)
    assert all("routes.unconfirmed" not in hub.logs for hub in machines.hubs)


def test_nothing_of_ours_passes_the_network_in_clear(machines: Machines) -> None:
    start(machines, "spy", profile="echo")
    token = machines.token_for("spy")
    with machines.wiretap() as heard:
        for edge in machines.edges:
            with edge.client(token) as client:
                for _ in range(4):
                    assert client.get("user/spy/in-so-many-words").status_code == 200
                    assert client.get("hub/api/user").status_code == 200
        between = heard()
    # It was heard: TLS records of application data, between the machines.
    assert between.count(b"\x17\x03\x03") > 10
    for word in (b"HTTP/1.1", token.encode(), b"in-so-many-words", b"authorization", b"spy"):
        assert word not in between, word


def test_a_machine_takes_nobody_from_the_network_but_edges(machines: Machines) -> None:
    for machine in machines.hubs:
        assert machine.listening() == {f"00000000:{8443:04X}"}
        anybody = httpx.Client(verify=False, base_url=f"https://{machine.ip}:8443", timeout=5)
        with anybody, pytest.raises(httpx.TransportError):
            anybody.get("/hub/api/")


def test_what_a_visitor_has_open_ends_at_every_edge_when_they_sign_out(machines: Machines) -> None:
    start(machines, "gus", profile="echo")
    with machines.edges[0].client() as browser:
        guarding.come_in(browser, "gus")
        theirs = guarding.cookie(guarding.pass_of(browser, "/user/gus/"))
        sockets = [guarding.WebSocket(edge, "/user/gus/ws", theirs) for edge in machines.edges]
        try:
            assert [one.opened for one in sockets] == [101, 101]
            assert [one.ask("hello") for one in sockets] == ["hello", "hello"]
            assert browser.get("hub/logout").status_code == 302
            began = time.monotonic()
            for one in sockets:
                until(lambda one=one: one.ask("still?") is None, "it is closed", within=5)
            assert time.monotonic() - began < 4
        finally:
            for one in sockets:
                one.close()
    for edge in machines.edges:
        with edge.client() as client:
            assert client.get("user/gus/", headers=theirs).status_code == 401


@pytest.mark.timeout(120)
def test_what_a_server_writes_is_shown_by_the_hubs_of_every_machine(machines: Machines) -> None:
    for place, name in on_each(machines).items():
        for edge in machines.edges:
            with edge.client(machines.token) as client:
                for _ in range(6):  # the hubs take turns
                    assert "steered: started" in _output(client, name), (place, edge.name)


def _output(client: httpx.Client, name: str) -> str:
    """What the stream of a server that runs tells, with what it wrote."""
    return client.get(f"hub/api/users/{name}/server/progress", params={"detail": "1"}).raise_for_status().text


def test_requests_go_to_the_other_machine_when_the_cable_of_one_is_cut(machines: Machines) -> None:
    names = on_each(machines)
    cut, left = machines.hubs
    before = machines.rows(
        f"select s.attempt from servers s join users u on u.id = s.user_id and u.name = '{names[cut.name]}'"
    )
    with machines.edges[0].client(machines.token) as client:
        cut.pull_out()
        try:
            # What was under way is given up after five seconds; then that machine is known to be gone.
            began = time.monotonic()
            for _ in range(10):
                assert client.get("hub/api/user").status_code == 200
            assert time.monotonic() - began < 15
            time.sleep(8)
            began = time.monotonic()
            for _ in range(20):
                assert client.get("hub/api/user").status_code == 200
            assert time.monotonic() - began < 5
            assert client.get(f"user/{names[left.name]}/").status_code == 200
            # What is written there nobody knows here, and nobody waits for it for long.
            began = time.monotonic()
            for _ in range(3):
                assert '"ready":true' in (told := _output(client, names[cut.name]))
                assert "steered" not in told
            assert time.monotonic() - began < 5
            start(machines, "after-that", edge=1)
            assert place_of(machines, "after-that") == left.name
        finally:
            cut.put_back()
        # Its servers have gone on, and are reached again.
        until(lambda: client.get(f"user/{names[cut.name]}/").status_code == 200, "it is back", within=30)
    until(cut.healthy, "its hub is back", within=30)
    after = machines.rows(
        f"select s.attempt from servers s join users u on u.id = s.user_id and u.name = '{names[cut.name]}'"
    )
    assert before == after


@pytest.mark.timeout(120)
def test_a_machine_that_is_started_anew_sees_that_its_servers_have_ended(machines: Machines) -> None:
    names = on_each(machines)
    gone, left = machines.hubs
    gone.shut_down()
    with machines.edges[1].client(machines.token) as client:
        assert client.get(f"user/{names[gone.name]}/").status_code == 503
        assert client.get(f"user/{names[left.name]}/").status_code == 200
        gone.boot()
        gone.start()
        until(
            lambda: not client.get(f"hub/api/users/{names[gone.name]}").json()["servers"],
            "their end is noticed",
            within=60,
        )


def test_a_hub_with_another_secret_key_is_refused_in_words(machines: Machines) -> None:
    hub = machines.hubs[1]
    environ = {
        "APPHUB_CLUSTER__SECRET_KEY": "/srv/other.key",
        "APPHUB_CLUSTER__NAME": "other",
        "APPHUB_HUB_BIND": "127.0.0.1:8082",
    }
    command = hub.command("hub", "--config", machines.config_file, "--data-dir", "/srv/other", **environ)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode
    assert "another secret key" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_edge_without_the_edge_key_says_what_it_needs(machines: Machines) -> None:
    edge = machines.edges[0]
    environ = {"APPHUB_CLUSTER__EDGE_KEY": "/srv/missing.key"}
    command = edge.command("proxy", "--config", machines.config_file, "--data-dir", "/srv/other", **environ)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode
    assert "Copy the file from a machine with hubs" in ended.stderr
