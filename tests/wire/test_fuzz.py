"""Whatever is asked of the API, by whomever: no fault of the hub, no answer outside of its document.

Schemathesis makes requests from the document, valid and invalid ones. About a minute in all;
APPHUB_FUZZ_MINUTES=10 makes it ten, spread over the three who ask. Everything is asked for except
POST /shutdown, which ends the hub that is being asked (`test_openapi_answers` asks for it).

Three of its checks are left out. `positive_data_acceptance` takes every request that has the right
shape for one that must succeed, but names must also exist, be free, or be allowed.
`unsupported_method` invents methods that the edge refuses by itself, with a 400. And
`use_after_free` takes DELETE for the end of a server, which without `remove` it is not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubs import TRIAL, RunningHub

HERE = Path(__file__).parent
#: Taken out of the environment: to a hub, every APPHUB_… is a setting.
MINUTES = float(os.environ.pop("APPHUB_FUZZ_MINUTES", "1"))
WHO = ("nobody", "user", "admin")  # the administrator last, who may delete the user
SECONDS = max(10, round(MINUTES * 60 / len(WHO)))
#: Requests that each of them makes at least, and how often a machine too busy for that begins again.
ENOUGH, ROUNDS = 300, 5
LEFT_OUT = "positive_data_acceptance,unsupported_method,use_after_free"

CONFIG = {
    **TRIAL,
    "login": {**TRIAL["login"], "failures_per_account": 10**6, "failures_per_address": 10**6},
    "limits": {"named_servers_per_user": 5, "active_servers": 4, "concurrent_starts": 2},
    "timeouts": {"start": "20s", "slow_spawn": "1s", "slow_stop": "1s", "stop": "1s"},
    "groups": {"declared": {"members": ["admin"]}},
    "services": [{"name": "declared", "api_token": "declared-token-0123456789abcdef"}],
    "log_level": "warning",
}

pytestmark = pytest.mark.timeout(ROUNDS * (SECONDS + 120) + 120)


@pytest.fixture(scope="module")
def fuzzed_hub() -> Iterator[RunningHub]:
    with RunningHub(CONFIG) as hub:
        for name in ("ada", "grace"):
            assert hub.ask("POST", f"users/{name}").status_code == 201
            assert hub.ask("PUT", f"users/{name}/servers/shared").status_code == 201
        assert hub.ask("POST", "groups/analysts", json={"users": ["ada"]}).status_code == 201
        assert hub.ask("POST", "services/docs", json={"info": {}}).status_code == 201
        share = hub.ask("POST", "shares/grace/shared", json={"user": "ada"})
        assert share.status_code == 200, share.text
        yield hub


@pytest.mark.parametrize("who", WHO)
def test_no_request_makes_a_fault_or_an_answer_outside_of_the_document(
    fuzzed_hub: RunningHub, who: str, tmp_path: Path
) -> None:
    hub = fuzzed_hub
    token = {"nobody": None, "user": hub.token_for("ada"), "admin": hub.token}[who]
    own = hub.ask("GET", "user", token=token).json()["token_id"] if token else ""
    # By time alone a busy machine would ask too little.
    made = 0
    for _ in range(ROUNDS):
        made += fuzz(hub, token, own, tmp_path)
        if made > ENOUGH:
            break
    print(json.dumps({"who": who, "requests": made}))
    assert made > ENOUGH
    if token:
        assert hub.ask("GET", "user", token=token).status_code == 200, "it asked as nobody at the end"
    assert "request.fault" not in hub.logs


def fuzz(hub: RunningHub, token: str | None, own: str, folder: Path) -> int:
    """Ask for `SECONDS`; how many requests were made. `own` is the id of the token, which is to stay."""
    told = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(HERE / "schemathesis.toml")),
            "run",
            f"{hub.url}hub/api/openapi.json",
            *(("--header", f"Authorization: Bearer {token}") if token else ()),
            *("--exclude-path", "/api/shutdown"),
            *("--checks", "all", "--exclude-checks", LEFT_OUT),
            *("--phases", "coverage,fuzzing,stateful", "--max-time", str(SECONDS)),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
            *("--generation-database", "none", "--report-json-path", str(folder / "report.json")),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE),
            "SCHEMATHESIS_HOOKS": "fuzz_hooks",
            "FUZZ_OWN_TOKEN": own,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS + 110,
        check=False,
    )
    failures = max(0, told.stdout.find("== FAILURES"))
    shown = told.stdout[failures:][:8000] + told.stdout[-1500:] + told.stderr[-2000:]
    assert told.returncode == 0, shown
    generated = re.search(r"(\d+) generated", told.stdout)
    assert generated is not None, shown
    return int(generated[1])
