"""People with servers on the machines of deploy/compose.yaml."""

from __future__ import annotations

import itertools

import apps
import guarding

from hubs import TRIAL
from machines import Machines

CONFIG = {
    **TRIAL,
    "profiles": [apps.STEERED, *guarding.echoing()["profiles"]],
    "timeouts": {"slow_spawn": "20s", "stop": "2s"},
}


#: Names nobody has had yet.
NUMBERS = itertools.count()


def start(machines: Machines, name: str, edge: int = 0, profile: str = "steered") -> None:
    machines.edges[edge].ask("POST", f"users/{name}")
    answer = machines.edges[edge].ask("POST", f"users/{name}/server", json={"profile": profile})
    assert answer.status_code == 201, answer.text


def place_of(machines: Machines, name: str) -> str:
    [row] = machines.rows(
        f"select place from servers s join users u on u.id = s.user_id where u.name = '{name}'"
    )
    return str(row["place"])


def on_each(machines: Machines, profile: str = "steered") -> dict[str, str]:
    """Somebody whose server is on the machine, for each with a hub."""
    found: dict[str, str] = {}
    for number in range(40):
        name = f"person-{next(NUMBERS)}"
        start(machines, name, edge=number % 2, profile=profile)
        found.setdefault(place_of(machines, name), name)
        if len(found) == len(machines.hubs):
            return found
    raise AssertionError(f"all servers are on {set(found)}")
