"""Hubs on several machines are restarted one after the other, under load, and nobody notices."""

from __future__ import annotations

import contextlib
import signal
import time

import pytest
from load import Load
from on_machines import CONFIG, on_each
from sockets import EchoSocket

from hubs import until
from machines import Machine, Machines


@pytest.mark.timeout(240)
def test_all_hubs_are_restarted_in_turn_and_nobody_notices() -> None:
    with Machines(CONFIG) as machines:
        restart_in_turn(machines)


def restart_in_turn(machines: Machines) -> None:
    names = on_each(machines)
    sockets = [EchoSocket(edge, f"user/{name}/socket") for edge in machines.edges for name in names.values()]
    paths = ("hub/api/users/admin", *(f"user/{name}/" for name in names.values()))
    seen = {"last_activity": "2026-01-01T00:00:00Z"}
    loads = [
        *(Load(edge.client(machines.token), path, pause=0.1) for edge in machines.edges for path in paths),
        *(
            Load(edge.client(machines.token), "hub/api/users/admin/activity", body=seen, pause=0.1)
            for edge in machines.edges
        ),
    ]
    with contextlib.ExitStack() as stack:
        for socket in sockets:
            stack.callback(socket.close)
        with contextlib.ExitStack() as under_load:
            for load in loads:
                under_load.enter_context(load)
            time.sleep(1)
            # One ends and is started again; the other does so in place, as is best in a container.
            for hub, way in zip(machines.hubs, ("SIGTERM", "SIGHUP"), strict=True):
                restart(hub, way)
                assert [socket.echo("meanwhile") for socket in sockets] == ["meanwhile"] * len(sockets)
                time.sleep(1)
        assert [socket.echo("after") for socket in sockets] == ["after"] * len(sockets)
    assert [load.failures for load in loads] == [[]] * len(loads)
    assert all(load.made > 20 for load in loads)


def restart(hub: Machine, way: str) -> None:
    before = hub.logs.count("edge_adopted")
    if way == "SIGHUP":  # in place, as a container can
        hub.send(signal.SIGHUP)
        until(lambda: hub.logs.count("edge_adopted") > before, "it is back")
    else:
        assert hub.stop() == 0
        hub.start()
    until(hub.healthy, f"{hub.name} is back")
    assert hub.logs.count("edge_adopted") > before, "the door was another hub's before"
