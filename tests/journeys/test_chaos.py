"""Three hubs are killed again and again, and PostgreSQL once, while people start and stop servers.

At the end everything is as it was asked for, every program was started once, and nothing that was
acknowledged is lost. APPHUB_TEST_CHAOS is the number of starts.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apps
import httpx
import pytest

from apphub.runtimes.process.procfs import MARKER
from clusters import Cluster, EdgePart
from hubs import until

STARTS = int(os.environ.get("APPHUB_TEST_CHAOS", "300"))
PEOPLE = 60
PATIENCE = 120.0


def config(starts: Path) -> dict[str, Any]:
    """An app that notes that it was started, for which attempt."""
    program = apps.STEERED["command"][-1]
    note = f'echo "${MARKER}" >> {starts}; exec {sys.executable} -S -E {program}'
    profile = {**apps.STEERED, "command": ["sh", "-c", note]}
    return {"profiles": [profile], "timeouts": {"slow_spawn": "10ms", "slow_stop": "10ms", "stop": "2s"}}


class Person:
    """Somebody who starts and stops a server through any edge, and tries again where told to."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.wanted = False
        #: Answers that should not be.
        self.wrong: list[str] = []
        self.groups: list[str] = []
        self._edges = cluster.edges
        self._token = cluster.token

    def __call__(self, rounds: int) -> None:
        """Begin and end so many times; what is wanted last is left to chance."""
        for number in range(rounds):
            self._until_done("POST", f"users/{self.name}/server", {"profile": "steered"}, (201, 202, 400))
            self.wanted = True
            group = f"{self.name}-{number}"
            if self._until_done("POST", f"groups/{group}", None, (201, 409)):
                self.groups.append(group)
            if number + 1 < rounds or random.random() < 0.5:
                self._until_done("DELETE", f"users/{self.name}/server", None, (202, 204))
                self.wanted = False
                self._settled()

    def _settled(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self._ask("GET", f"users/{self.name}", None)
            if answer is not None and answer.status_code == 200 and not answer.json()["servers"]:
                return
            time.sleep(0.1)
        self.wrong.append(f"{self.name} is not down")

    def _until_done(self, method: str, path: str, body: Any, good: tuple[int, ...]) -> bool:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self._ask(method, path, body)
            if answer is not None and answer.status_code in good:
                return True
            time.sleep(0.2)
        self.wrong.append(f"{method} {path}: never done")
        return False

    def _ask(self, method: str, path: str, body: Any) -> httpx.Response | None:
        edge: EdgePart = random.choice(self._edges)
        answer = edge.ask(method, path, token=self._token, json=body)
        if answer.status_code >= 500 and (
            answer.status_code not in (502, 503) or "retry-after" not in answer.headers
        ):
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer


class Killer(threading.Thread):
    """Kills a hub every two seconds and starts it again; restarts PostgreSQL once."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.kills = 0
        self._cluster = cluster
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(2):
            hub = random.choice(self._cluster.hubs)
            hub.kill()
            hub.start()
            self.kills += 1
            if self.kills == 4:
                self._cluster.crash_database()
                time.sleep(0.5)
                self._cluster.start_database()

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_a_hub_that_starts_before_its_database_waits_for_it() -> None:
    with Cluster(hubs=2, edges=1) as cluster:
        late, leaving = cluster.hubs
        for hub in cluster.hubs:
            hub.kill()
        cluster.crash_database()
        for hub in cluster.hubs:
            hub.start()
            until(lambda hub=hub: "database.awaited" in hub.logs, f"{hub.name} waits")  # type: ignore[misc]
        assert leaving.stop(within=10) == 1
        assert "The database does not answer" in leaving.logs
        assert late.alive
        cluster.start_database()
        until(late.answers, "the other one serves")


@pytest.mark.timeout(900)
def test_whatever_is_killed_everything_ends_as_it_was_asked_for(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    with Cluster(hubs=3, edges=2, config=config(starts)) as cluster:
        people = [Person(cluster, f"person-{number:02}") for number in range(PEOPLE)]
        cluster.edges[0].ask("POST", "users", json={"usernames": [person.name for person in people]})
        killer = Killer(cluster)
        killer.start()
        try:
            with ThreadPoolExecutor(12) as pool:
                list(pool.map(lambda person: person(-(-STARTS // PEOPLE)), people))
        finally:
            killer.stop()
        for part in cluster.hubs:
            until(part.answers, f"{part.name} is back", 120)
        assert killer.kills >= 3
        assert [wrong for person in people for wrong in person.wrong] == []

        query = (
            "select s.id, u.name, s.wanted, s.phase, s.attempt, s.phase_attempt, s.routed_attempt"
            " from servers s join users u on u.id = s.user_id"
        )

        def unsettled() -> list[dict[str, Any]]:
            up = {person.name for person in people if person.wanted}
            return [
                dict(row)
                for row in cluster.rows(query)
                if (row["phase"], row["routed_attempt"])
                != (("ready", row["attempt"]) if row["name"] in up else ("stopped", None))
            ]

        try:
            until(lambda: not unsettled(), "wanted is what is", 120)
        except AssertionError as error:
            error.add_note(f"still to settle: {unsettled()}")
            raise
        rows = cluster.rows(query)
        running = Counter(f"{row['id']}:{row['attempt']}" for row in rows if row["phase"] == "ready")
        until(lambda: cluster.objects() == running, "no program is left over, none is missing", 60)
        launched = Counter(line.partition(":")[2] for line in starts.read_text().split())
        assert [ref for ref, times in launched.items() if times != 1] == []
        groups = {row["name"] for row in cluster.rows("select name from groups")}
        assert {group for person in people for group in person.groups} <= groups
        for edge in cluster.edges:
            with edge.client() as client:
                for person in people:
                    assert (client.get(f"user/{person.name}/").status_code == 200) is person.wanted
    print(f"{STARTS} starts, {killer.kills} kills")
